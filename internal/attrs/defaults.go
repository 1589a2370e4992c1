package attrs

import (
	"strings"

	"github.com/pantryhub/pantry/hub"
)

// largeFiles are the patterns that every new repository stores as large files.
const largeFiles = `*.7z
*.arrow
*.bin
*.bz2
*.ckpt
*.ftz
*.gz
*.h5
*.joblib
*.lfs.*
*.mlmodel
*.model
*.msgpack
*.npy
*.npz
*.onnx
*.ot
*.parquet
*.pb
*.pickle
*.pkl
*.pt
*.pth
*.rar
*.safetensors
saved_model/**/*
*.tar.*
*.tar
*.tflite
*.tgz
*.wasm
*.xz
*.zip
*.zst
*tfevents*
`

// mediaFiles are what datasets add.
const mediaFiles = `# Audio files - uncompressed
*.pcm
*.sam
*.raw
# Audio files - compressed
*.aac
*.flac
*.mp3
*.ogg
*.wav
# Image files - uncompressed
*.bmp
*.gif
*.png
*.tiff
# Image files - compressed
*.jpg
*.jpeg
*.webp
# Video files - compressed
*.mp4
*.webm
`

// DefaultGitattributes is the .gitattributes file of a new repository's
// initial commit, byte for byte what the public Hub writes, so that copies of
// a repository have the same object ids on both.
func DefaultGitattributes(t hub.RepoType) []byte {
	patterns := largeFiles
	if t == hub.Dataset {
		patterns = strings.Replace(largeFiles, "*.lfs.*\n", "*.lfs.*\n*.lz4\n*.mds\n", 1) + mediaFiles
	}
	var b strings.Builder
	for line := range strings.Lines(patterns) {
		b.WriteString(strings.TrimSuffix(line, "\n"))
		if line[0] != '#' {
			b.WriteString(" filter=lfs diff=lfs merge=lfs -text")
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}
