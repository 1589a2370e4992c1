package bucket

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// Open opens the bucket that location names: "s3://bucket/prefix?…" (see
// ParseS3URL; keys that it lacks come from the AWS_* environment), "memory:",
// or the path of a folder.
func Open(ctx context.Context, location string) (Bucket, error) {
	switch {
	case location == "":
		return nil, fmt.Errorf("bucket: no location given")
	case location == "memory:":
		return NewMemory(), nil
	case strings.HasPrefix(location, "s3://"):
		config, err := ParseS3URL(location, os.Getenv)
		if err != nil {
			return nil, err
		}
		b, err := OpenS3(ctx, config)
		if err != nil {
			return nil, err
		}
		return b, nil
	case strings.Contains(location, "://"):
		scheme, _, _ := strings.Cut(location, "://")
		return nil, fmt.Errorf("bucket: no store for %s://; give a folder or s3://", scheme)
	}
	b, err := OpenDir(location)
	if err != nil {
		return nil, err
	}
	return b, nil
}
