package bucket_test

import (
	"testing"

	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/bucket/buckettest"
)

func TestConformance(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		buckettest.Run(t, func(*testing.T) bucket.Bucket { return bucket.NewMemory() })
	})
	t.Run("dir", func(t *testing.T) {
		buckettest.Run(t, openDir)
	})
	t.Run("s3", func(t *testing.T) {
		buckettest.Run(t, func(t *testing.T) bucket.Bucket { return buckettest.S3(t) })
	})
	t.Run("healthy injector", func(t *testing.T) {
		buckettest.Run(t, func(*testing.T) bucket.Bucket { return buckettest.Faulty(bucket.NewMemory()) })
	})
}

func openDir(t *testing.T) bucket.Bucket {
	t.Helper()
	b, err := bucket.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
