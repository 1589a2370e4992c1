// Package lfs receives large files by the Git LFS transfers: one PUT (basic),
// or parts (multipart). Uploads carry no credentials, so each URL is signed for
// one repository, one object and one account. Whatever arrives is chunked and
// deduplicated into the CAS as it streams in, and believed only when its
// SHA-256 is the announced one.
//
// The parts of a multipart upload wait in the bucket under lfs-parts/ until the
// upload is completed; Sweep removes those of abandoned uploads.
package lfs
