package bucket

// SetSizes makes small objects take the way of large ones.
func (s *S3) SetSizes(single, part int64) { s.singlePut, s.partSize = single, part }

// PieceSize is how much is written at once.
const PieceSize = pieceSize

// WriteDirect appends p, which need not be aligned, past the page cache.
func (s *Staged) WriteDirect(p []byte) error {
	if err := s.create(); err != nil {
		return err
	}
	s.direct = setDirect(s.file, true) == nil
	s.size += int64(len(p))
	return s.write(p)
}
