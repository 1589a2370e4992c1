package bucket

// SetSizes makes small objects take the way of large ones.
func (s *S3) SetSizes(single, part int64) { s.singlePut, s.partSize = single, part }
