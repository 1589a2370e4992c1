package api

// LFSBatch is the body of POST …/info/lfs/objects/batch.
type LFSBatch struct {
	Operation string      `json:"operation"`
	Transfers []string    `json:"transfers"`
	Objects   []LFSObject `json:"objects"`
	HashAlgo  string      `json:"hash_algo"`
}

// LFSObject names a large file.
type LFSObject struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`
}

// LFSBatchReply answers a batch.
type LFSBatchReply struct {
	Transfer string           `json:"transfer"`
	Objects  []LFSObjectReply `json:"objects"`
	HashAlgo string           `json:"hash_algo"`
}

// LFSObjectReply says what to do with one object. Without actions it is stored
// already; "actions": null would crash the Python client, so it is left out.
type LFSObjectReply struct {
	OID           string               `json:"oid"`
	Size          int64                `json:"size"`
	Authenticated bool                 `json:"authenticated"`
	Actions       map[string]LFSAction `json:"actions,omitempty"`
	Error         *LFSError            `json:"error,omitempty"`
}

// LFSAction is a URL to call.
type LFSAction struct {
	Href      string         `json:"href"`
	Header    map[string]any `json:"header,omitempty"`
	ExpiresIn int            `json:"expires_in,omitempty"`
}

// LFSError is why one object cannot be transferred.
type LFSError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}
