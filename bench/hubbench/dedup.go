package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
)

type dedupCommand struct {
	Model byteSize `help:"Size of the model or dataset that each family is made of." default:"256MiB"`
}

// Run stores three families of files in two hubs each, one by LFS, where the
// server finds what is known, and one by hf_xet, where the client does, and
// compares what is in the buckets.
func (c *dedupCommand) Run(ctx context.Context, s *settings) error {
	r := newReport("dedup", "Deduplication")
	r.once = true
	r.text("Families made of one of %s, each file committed in turn to an empty hub. *hf_xet* is what the bucket holds when the stock client cuts, compares and packs; *server* is what it holds when the same files come by LFS. Target: server ≤ 1.01 × hf_xet.", c.Model)
	var rows [][]any
	for _, family := range []struct {
		name  string
		files func(*rand.Rand, int64) []content
	}{
		{"fine-tune, 5 % of the tensors changed", fineTune},
		{"ten quantisations of one model", quantisations},
		{"dataset, five times appended to", appended},
	} {
		row, err := c.family(ctx, s, family.files)
		if err != nil {
			return fmt.Errorf("%s: %w", family.name, err)
		}
		rows = append(rows, append([]any{family.name}, row...))
	}
	r.table([]string{"family", "files", "bytes", "hf_xet", "server", "server/hf_xet", "target", "saved"}, rows)
	return r.write(s)
}

// content writes a file.
type content func(io.Writer) error

func (c *dedupCommand) family(ctx context.Context, s *settings, family func(*rand.Rand, int64) []content) ([]any, error) {
	dir, remove, err := s.folder("family")
	if err != nil {
		return nil, err
	}
	defer remove()
	var files []dataFile
	var total int64
	for i, fill := range family(randSource(), int64(c.Model)) {
		file, err := writeData(filepath.Join(dir, fmt.Sprintf("file-%d.bin", i)), fill)
		if err != nil {
			return nil, err
		}
		files, total = append(files, file), total+file.size
	}
	byClient, err := c.store(ctx, s, files, func(p *pantry, file dataFile, path string) error {
		_, _, err := p.hfUpload(ctx, s, "family", file.path, path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("by hf_xet: %w", err)
	}
	byServer, err := c.store(ctx, s, files, func(p *pantry, file dataFile, path string) error {
		if err := p.upload(ctx, benchUser+"/family", file.object()); err != nil {
			return err
		}
		return p.commit(ctx, benchUser+"/family", "add", addObject(path, file.object()))
	})
	if err != nil {
		return nil, fmt.Errorf("by LFS: %w", err)
	}
	ratio := float64(byServer) / float64(byClient)
	return []any{len(files), byteSize(total), byteSize(byClient), byteSize(byServer), fmt.Sprintf("%.4f", ratio), verdict(ratio <= 1.01),
		fmt.Sprintf("%.1f %%", 100*(1-float64(byServer)/float64(total)))}, nil
}

// store adds the files to an empty hub and returns what its bucket holds.
func (c *dedupCommand) store(ctx context.Context, s *settings, files []dataFile, add func(*pantry, dataFile, string) error) (int64, error) {
	p, end, err := startHub(ctx, s)
	if err != nil {
		return 0, err
	}
	defer end()
	if err := p.createRepo(ctx, "family"); err != nil {
		return 0, err
	}
	for _, file := range files {
		path := filepath.Base(file.path)
		if err := add(p, file, path); err != nil {
			return 0, err
		}
		if err := p.verify(ctx, p.url+"/"+benchUser+"/family/resolve/main/"+path, file.sha256); err != nil {
			return 0, err
		}
	}
	return p.storedBytes()
}

// checkpoint is a model in the shape of a safetensors file.
type checkpoint [][]byte

// newCheckpoint makes tensors of a few sizes, as the layers of a model have.
func newCheckpoint(source *rand.Rand, size int64) checkpoint {
	const layers, perLayer = 24, 5
	var c checkpoint
	shares := [perLayer]int64{4, 4, 11, 11, 2} // of 32: attention, feed-forward, the rest
	for range layers {
		for _, share := range shares {
			c = append(c, newTensor(source, size/layers*share/32))
		}
	}
	return c
}

func newTensor(source *rand.Rand, size int64) []byte {
	tensor := make([]byte, size&^1)
	fillWeights(source.Uint64())(tensor)
	return tensor
}

// write writes tensors behind a header, as safetensors does.
func (c checkpoint) write(w io.Writer, dtype func(i int) string) error {
	header := make(map[string]any)
	at := 0
	for i, tensor := range c {
		header[fmt.Sprintf("model.layers.%d.%d.weight", i/5, i%5)] = map[string]any{
			"dtype": dtype(i), "shape": []int{len(tensor)}, "data_offsets": []int{at, at + len(tensor)},
		}
		at += len(tensor)
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	text = append(text, bytes.Repeat([]byte(" "), -len(text)&7)...)
	if err := binary.Write(w, binary.LittleEndian, uint64(len(text))); err != nil {
		return err
	}
	for _, part := range append([][]byte{text}, c...) {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// fineTune is a model, and the same with one tensor in twenty new.
func fineTune(source *rand.Rand, size int64) []content {
	base := newCheckpoint(source, size)
	tuned := append(checkpoint(nil), base...)
	for i := 7; i < len(tuned); i += 20 {
		tuned[i] = newTensor(source, int64(len(tuned[i])))
	}
	bf16 := func(int) string { return "BF16" }
	return []content{
		func(w io.Writer) error { return base.write(w, bf16) },
		func(w io.Writer) error { return tuned.write(w, bf16) },
	}
}

// quantisations are ten files of one model. As with GGUF, each tensor has a
// type that depends on the file and on the tensor's role, so that two files
// hold some tensors with the same bytes, at other places.
func quantisations(source *rand.Rand, size int64) []content {
	base := newCheckpoint(source, size)
	bits := []int{2, 3, 4, 5, 6, 8}
	var files []content
	for k := range 10 {
		typeOf := func(i int) int {
			level := k / 2
			if k%2 == 1 && i%5 < 2 || i%5 == 4 || i/5 < 2 {
				level++ // the sensitive tensors get more bits
			}
			return bits[min(level, len(bits)-1)]
		}
		files = append(files, func(w io.Writer) error {
			quantised := make(checkpoint, len(base))
			for i, tensor := range base {
				quantised[i] = quantise(tensor, typeOf(i))
			}
			return quantised.write(w, func(i int) string { return fmt.Sprintf("Q%d", typeOf(i)) })
		})
	}
	return files
}

// quantise packs bfloat16 values into blocks of 32 with a scale each.
func quantise(tensor []byte, bits int) []byte {
	const perBlock = 32
	var out []byte
	for len(tensor) >= 2*perBlock {
		var values [perBlock]float32
		var largest float32
		for i := range values {
			values[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(tensor[2*i:])) << 16)
			largest = max(largest, float32(math.Abs(float64(values[i]))))
		}
		tensor = tensor[2*perBlock:]
		steps := float32(int(1)<<(bits-1)) - 1
		scale := largest / steps
		out = binary.LittleEndian.AppendUint16(out, uint16(math.Float32bits(scale)>>16))
		var pending uint64
		var held int
		for _, v := range values {
			q := int64(0)
			if scale > 0 {
				q = int64(math.Round(float64(v / scale)))
			}
			pending |= uint64(q+int64(steps)) & (1<<bits - 1) << held
			for held += bits; held >= 8; held -= 8 {
				out = append(out, byte(pending))
				pending >>= 8
			}
		}
	}
	return out
}

// appended is a dataset of JSON lines in five versions, each a tenth longer.
func appended(source *rand.Rand, size int64) []content {
	seed := source.Uint64()
	var files []content
	for version := range int64(5) {
		files = append(files, func(w io.Writer) error {
			return generate(w, lines, size+version*size/10, seed)
		})
	}
	return files
}
