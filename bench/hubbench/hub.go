package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// hub is a plain HTTP client of a hub, for setting benchmarks up.
type hub struct {
	url    string
	token  string
	client *http.Client
}

func newHub(address, token string) *hub {
	return &hub{url: address, token: token, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// call sends a request and decodes the JSON of its answer into reply, unless
// that is nil.
func (h *hub) call(ctx context.Context, method, path, contentType string, body io.Reader, reply any) error {
	req, err := http.NewRequestWithContext(ctx, method, h.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", contentType)
	req.Header.Set("Authorization", "Bearer "+h.token)
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, data)
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(data, reply)
}

func (h *hub) post(ctx context.Context, path string, body, reply any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return h.call(ctx, http.MethodPost, path, "application/json", bytes.NewReader(data), reply)
}

// createRepo makes a public model repository of the bench account.
func (h *hub) createRepo(ctx context.Context, name string) error {
	return h.post(ctx, "/api/repos/create", map[string]any{"type": "model", "name": name, "private": false}, nil)
}

// object is a file to upload by LFS.
type object struct {
	sha256 string
	size   int64
	open   func() (io.ReadCloser, error)
}

// bytesObject is an object from memory.
func bytesObject(data []byte) object {
	sum := sha256.Sum256(data)
	return object{hex.EncodeToString(sum[:]), int64(len(data)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

type lfsBatch struct {
	Operation string      `json:"operation"`
	Transfers []string    `json:"transfers"`
	HashAlgo  string      `json:"hash_algo"`
	Objects   []lfsObject `json:"objects"`
}

type lfsObject struct {
	OID     string                `json:"oid"`
	Size    int64                 `json:"size"`
	Actions map[string]*lfsAction `json:"actions,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

type lfsAction struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header"`
}

const lfsType = "application/vnd.git-lfs+json"

// upload sends objects by LFS, one after the other, as huggingface_hub does
// without hf_xet. What the hub has already is not sent.
func (h *hub) upload(ctx context.Context, repo string, objects ...object) error {
	batch := lfsBatch{Operation: "upload", Transfers: []string{"basic"}, HashAlgo: "sha256"}
	byOID := make(map[string]object)
	for _, o := range objects {
		batch.Objects = append(batch.Objects, lfsObject{OID: o.sha256, Size: o.size})
		byOID[o.sha256] = o
	}
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	var reply lfsBatch
	if err := h.call(ctx, http.MethodPost, "/"+repo+".git/info/lfs/objects/batch", lfsType, bytes.NewReader(body), &reply); err != nil {
		return err
	}
	for _, answer := range reply.Objects {
		if answer.Error != nil {
			return fmt.Errorf("LFS batch: %s", answer.Error.Message)
		}
		if err := h.transfer(ctx, byOID[answer.OID], answer); err != nil {
			return err
		}
	}
	return nil
}

func (h *hub) transfer(ctx context.Context, o object, answer lfsObject) error {
	put := answer.Actions["upload"]
	if put == nil {
		return nil
	}
	if put.Header["chunk_size"] != "" {
		return errors.New("LFS batch: a multipart upload for a client that asked for basic")
	}
	body, err := o.open()
	if err != nil {
		return err
	}
	defer body.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, put.Href, body)
	if err != nil {
		return err
	}
	req.ContentLength = o.size
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("LFS PUT: %s: %s", resp.Status, text)
	}
	verify := answer.Actions["verify"]
	if verify == nil {
		return nil
	}
	data, err := json.Marshal(lfsObject{OID: o.sha256, Size: o.size})
	if err != nil {
		return err
	}
	return h.call(ctx, http.MethodPost, strings.TrimPrefix(verify.Href, h.url), lfsType, bytes.NewReader(data), nil)
}

// operation is a line of a commit.
type operation struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

func addFile(path string, content []byte) operation {
	return operation{"file", map[string]any{
		"path": path, "encoding": "base64", "content": base64.StdEncoding.EncodeToString(content),
	}}
}

func addObject(path string, o object) operation {
	return operation{"lfsFile", map[string]any{"path": path, "algo": "sha256", "oid": o.sha256, "size": o.size}}
}

// commit makes one commit on main.
func (h *hub) commit(ctx context.Context, repo, summary string, operations ...operation) error {
	body, err := commitBody(summary, operations)
	if err != nil {
		return err
	}
	return h.call(ctx, http.MethodPost, "/api/models/"+repo+"/commit/main", "application/x-ndjson", bytes.NewReader(body), nil)
}

func commitBody(summary string, operations []operation) ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	header := operation{"header", map[string]any{"summary": summary}}
	for _, op := range append([]operation{header}, operations...) {
		if err := enc.Encode(op); err != nil {
			return nil, err
		}
	}
	return body.Bytes(), nil
}

// addLarge creates a repository that holds one large file and returns the path
// of its download URL.
func (h *hub) addLarge(ctx context.Context, name string, d dataFile) (string, error) {
	repo := benchUser + "/" + name
	if err := h.createRepo(ctx, name); err != nil {
		return "", err
	}
	if err := h.upload(ctx, repo, d.object()); err != nil {
		return "", err
	}
	if err := h.commit(ctx, repo, "add", addObject("model.bin", d.object())); err != nil {
		return "", err
	}
	return "/" + repo + "/resolve/main/model.bin", nil
}

// fetchRange is a piece of a xorb as a Xet client fetches it.
type fetchRange struct {
	url      string
	from, to int64 // inclusive
}

// fetchRanges asks for the reconstruction of a file, as hf_xet does, and lists
// what it would fetch.
func (h *hub) fetchRanges(ctx context.Context, repo, xetHash string) ([]fetchRange, error) {
	var access struct{ CasURL, AccessToken string }
	if err := h.call(ctx, http.MethodGet, "/api/models/"+repo+"/xet-read-token/main", "application/json", nil, &access); err != nil {
		return nil, err
	}
	type byteRange struct{ Start, End int64 }
	var plan struct {
		Xorbs map[string][]struct {
			URL    string
			Ranges []struct{ Bytes byteRange }
		}
	}
	cas := newHub(access.CasURL, access.AccessToken)
	if err := cas.call(ctx, http.MethodGet, "/v2/reconstructions/"+xetHash, "application/json", nil, &plan); err != nil {
		return nil, err
	}
	var all []fetchRange
	for _, fetches := range plan.Xorbs {
		for _, f := range fetches {
			for _, r := range f.Ranges {
				all = append(all, fetchRange{f.URL, r.Bytes.Start, r.Bytes.End})
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the reconstruction is empty")
	}
	return all, nil
}

// xetHash asks for the file id of a file.
func (h *hub) xetHash(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, h.url+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // the answer to the first request has it
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	hash := resp.Header.Get("X-Xet-Hash")
	if hash == "" {
		return "", fmt.Errorf("HEAD %s: %s without X-Xet-Hash", path, resp.Status)
	}
	return hash, nil
}

// verify downloads a file once and compares its SHA-256: a fast server of
// wrong bytes is of no use.
func (h *hub) verify(ctx context.Context, address, want string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, resp.Body); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("GET %s: %s, SHA-256 %s, want %s", address, resp.Status, got, want)
	}
	return nil
}

// hostOf is the host:port of a URL.
func hostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("no host in %q", address)
	}
	return u.Host, nil
}

// timed measures a call.
func timed(f func() error) (time.Duration, error) {
	begun := time.Now()
	err := f()
	return time.Since(begun), err
}

// fileObject is an object from a file.
func fileObject(name, sum string, size int64) object {
	return object{sum, size, func() (io.ReadCloser, error) { return os.Open(name) }}
}
