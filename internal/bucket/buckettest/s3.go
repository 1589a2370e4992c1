package buckettest

import (
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/internal/bucket"
)

// S3Variable holds the s3:// URL of the S3 server of the test environment,
// which script/with-services starts.
const S3Variable = "PANTRY_TEST_S3"

// S3URL is the location of an empty bucket, for this test alone, on the real
// S3 server of the test environment. Without one the test is skipped, but
// fails in CI, where nothing is skipped unseen.
func S3URL(t testing.TB) string {
	t.Helper()
	location := os.Getenv(S3Variable)
	if location == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not set; run the tests under script/with-services", S3Variable)
		}
		t.Skipf("%s is not set; run the tests under script/with-services", S3Variable)
	}
	u, err := url.Parse(location)
	if err != nil {
		t.Fatalf("%s: %v", S3Variable, err)
	}
	u.Path = "/" + strings.Trim(u.Path+"/t-"+strings.ToLower(rand.Text()), "/")
	return u.String()
}

// S3 is the bucket at S3URL.
func S3(t testing.TB) bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(t.Context(), S3URL(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
