// Package buckettest is the conformance suite of bucket.Bucket (Run), a fault
// injector for tests of what stands on a bucket (Faulty), and a door to the
// real S3 server of the test environment (S3). It is imported by tests only.
package buckettest
