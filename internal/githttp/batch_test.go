package githttp

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
)

// FuzzBatch: of whatever JSON, each object is answered by one in its place,
// with an error unless it can be one, and no URL is needed for that.
func FuzzBatch(f *testing.F) {
	f.Add([]byte(`{"operation":"upload","transfers":["basic","multipart","xet"],"objects":[{"oid":"` + strings.Repeat("a", 64) + `","size":1}]}`))
	f.Add([]byte(`{"operation":"download","objects":[{"oid":"x","size":-1},{"oid":"","size":9223372036854775807}]}`))
	f.Add([]byte(`{"objects":null}`))
	s := &Server{Config: Config{MultipartAbove: 100, PartSize: 10}}
	f.Fuzz(func(t *testing.T, body []byte) {
		var req api.LFSBatch
		if json.Unmarshal(body, &req) != nil {
			return
		}
		objects, reply := parseObjects(req.Objects)
		if len(objects) != len(req.Objects) || len(reply) != len(req.Objects) {
			t.Fatalf("%q: %d objects, %d replies, want %d", body, len(objects), len(reply), len(req.Objects))
		}
		for i, o := range req.Objects {
			_, err := hub.ParseSHA256(o.OID)
			if good := err == nil && o.Size >= 0; good != (reply[i].Error == nil) || reply[i].OID != o.OID {
				t.Errorf("%q: object %d is answered %+v", body, i, reply[i])
			}
		}
		switch transfer := s.transfer(req, objects); transfer {
		case "basic", "multipart", "xet":
		default:
			t.Errorf("%q: transfer %q", body, transfer)
		}
		if _, err := json.Marshal(reply); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	})
}
