package git

import (
	"bytes"
	"fmt"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// TagInfo is what an annotated tag object says.
type TagInfo struct {
	Target  hub.OID
	Kind    string // of the target, nearly always KindCommit
	Name    string // short: v1.0
	Tagger  Signature
	Message string
}

// EncodeTag makes the row of an annotated tag. The name must be one that
// hub.CheckRefName accepts.
func EncodeTag(t TagInfo) store.GitObject {
	var b bytes.Buffer
	fmt.Fprintf(&b, "object %s\ntype %s\ntag %s\ntagger %s\n\n", t.Target, t.Kind, t.Name, t.Tagger.line())
	b.WriteString(cleanMessage(t.Message))
	return NewObject(KindTag, b.Bytes())
}

// DecodeTag parses the payload of an annotated tag. The tagger may be missing,
// as in very old tags.
func DecodeTag(payload []byte) (TagInfo, error) {
	var t TagInfo
	h := headers{rest: payload}
	object, ok := h.take("object")
	if !ok {
		return t, corruptf("tag without an object")
	}
	var err error
	if t.Target, err = decodeOID(object); err != nil {
		return t, err
	}
	kind, ok := h.take("type")
	if !ok {
		return t, corruptf("tag without a type")
	}
	t.Kind = string(kind)
	switch t.Kind {
	case KindCommit, KindTree, KindBlob, KindTag:
	default:
		return t, corruptf("tag of a %.20q", kind)
	}
	name, ok := h.take("tag")
	if !ok {
		return t, corruptf("tag without a name")
	}
	t.Name = string(name)
	if hub.CheckRefName(t.Name) != nil {
		return t, corruptf("tag with the bad name %.300q", name)
	}
	if bytes.HasPrefix(h.rest, []byte("tagger ")) {
		if t.Tagger, err = h.signature("tagger"); err != nil {
			return t, err
		}
	}
	t.Message, err = h.message()
	return t, err
}
