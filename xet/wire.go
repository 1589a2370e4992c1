package xet

// The JSON of the CAS API. Hashes are in their text form; byte ranges include
// their last byte, chunk ranges do not include their last chunk.

// ChunkRange is chunks [Start, End) of a xorb.
type ChunkRange struct {
	Start uint32 `json:"start"`
	End   uint32 `json:"end"`
}

// InclusiveRange is bytes Start to End of a stored xorb, both included.
type InclusiveRange struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// TermJSON is a term of a reconstruction.
type TermJSON struct {
	Hash           string     `json:"hash"`
	UnpackedLength uint32     `json:"unpacked_length"`
	Range          ChunkRange `json:"range"`
}

// FetchInfo says where to get a run of chunks, in version 1.
type FetchInfo struct {
	Range    ChunkRange     `json:"range"`
	URL      string         `json:"url"`
	URLRange InclusiveRange `json:"url_range"`
}

// ReconstructionV1 answers GET /v1/reconstructions/{file}.
type ReconstructionV1 struct {
	OffsetIntoFirstRange uint64                 `json:"offset_into_first_range"`
	Terms                []TermJSON             `json:"terms"`
	FetchInfo            map[string][]FetchInfo `json:"fetch_info"` // by xorb
}

// XorbRange is a run of chunks and the bytes that hold them, in version 2.
type XorbRange struct {
	Chunks ChunkRange     `json:"chunks"`
	Bytes  InclusiveRange `json:"bytes"`
}

// XorbURL says what to get from one URL, in version 2.
type XorbURL struct {
	URL    string      `json:"url"`
	Ranges []XorbRange `json:"ranges"`
}

// ReconstructionV2 answers GET /v2/reconstructions/{file}.
type ReconstructionV2 struct {
	OffsetIntoFirstRange uint64               `json:"offset_into_first_range"`
	Terms                []TermJSON           `json:"terms"`
	Xorbs                map[string][]XorbURL `json:"xorbs"`
}

// ReconstructionBatch answers for several whole files at once.
type ReconstructionBatch struct {
	Files     map[string][]TermJSON  `json:"files"`
	FetchInfo map[string][]FetchInfo `json:"fetch_info"`
}

// FetchURL makes the URL from which a range of a stored xorb can be fetched.
// Every call for another range must return another URL: clients tell what they
// have by it.
type FetchURL func(f XorbFetch, r FetchRange) (string, error)

// TermsJSON are the terms of a plan.
func (p *Plan) TermsJSON() []TermJSON {
	out := make([]TermJSON, len(p.Terms))
	for i, t := range p.Terms {
		out[i] = TermJSON{Hash: t.Xorb.String(), UnpackedLength: t.Size, Range: ChunkRange{t.Start, t.End}}
	}
	return out
}

// V1 is the plan as version 1 of the API states it.
func (p *Plan) V1(url FetchURL) (*ReconstructionV1, error) {
	out := &ReconstructionV1{OffsetIntoFirstRange: p.Skip, Terms: p.TermsJSON(), FetchInfo: make(map[string][]FetchInfo, len(p.Fetch))}
	return out, p.AddFetchInfo(out.FetchInfo, url)
}

// AddFetchInfo adds what the plan fetches to the fetch info of version 1.
func (p *Plan) AddFetchInfo(info map[string][]FetchInfo, url FetchURL) error {
	for _, f := range p.Fetch {
		name := f.Xorb.String()
		for _, r := range f.Ranges {
			u, err := url(f, r)
			if err != nil {
				return err
			}
			info[name] = append(info[name], FetchInfo{ChunkRange{r.Start, r.End}, u, InclusiveRange{r.From, r.To - 1}})
		}
	}
	return nil
}

// V2 is the plan as version 2 of the API states it, with one URL for each range:
// the only form that every client reads.
func (p *Plan) V2(url FetchURL) (*ReconstructionV2, error) {
	out := &ReconstructionV2{OffsetIntoFirstRange: p.Skip, Terms: p.TermsJSON(), Xorbs: make(map[string][]XorbURL, len(p.Fetch))}
	for _, f := range p.Fetch {
		name := f.Xorb.String()
		for _, r := range f.Ranges {
			u, err := url(f, r)
			if err != nil {
				return nil, err
			}
			out.Xorbs[name] = append(out.Xorbs[name], XorbURL{u, []XorbRange{{ChunkRange{r.Start, r.End}, InclusiveRange{r.From, r.To - 1}}}})
		}
	}
	return out, nil
}

// MergePlans joins the fetches of plans for several files, so that no two ranges
// of one xorb overlap. Terms stay with their plans.
func MergePlans(plans []*Plan, index IndexFunc) (*Plan, error) {
	all := &Plan{}
	for _, p := range plans {
		all.Terms = append(all.Terms, p.Terms...)
	}
	return all, all.planFetch(index)
}
