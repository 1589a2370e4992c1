package jpeg

import (
	"bytes"
	"fmt"
)

// scanComponent is a component's part in one scan.
type scanComponent struct {
	*component
	dc, ac *huffman
	quant  *[64]int32 // only where blocks are transformed at once
	pred   int32      // DC prediction
}

// scan is what one pass over blocks needs.
type scan struct {
	bits
	comps      []scanComponent
	start, end int // spectral selection
	high, low  uint
	eobRun     int32
	block      [64]int16
}

// scan decodes a scan. done means that the picture is complete: a sequential
// file with everything in one scan needs no end marker.
func (d *decoder) scan(header []byte) (done bool, err error) {
	if d.comps == nil {
		return false, fmt.Errorf("%w: scan before frame", ErrFormat)
	}
	if d.scans++; d.scans > maxScans {
		return false, fmt.Errorf("%w: more than %d scans", ErrFormat, maxScans)
	}
	s := &scan{bits: bits{data: d.data, at: d.at}}
	if err := d.scanHeader(s, header); err != nil {
		return false, err
	}
	// A DC coefficient takes a bit at the least.
	if blocks := s.blocks(); s.start == 0 && blocks/8 > len(d.data)-d.at {
		return false, fmt.Errorf("%w: %d bytes cannot hold %d × %d pixels", ErrFormat, len(d.data)-d.at, d.width, d.height)
	}
	direct := !d.progressive && len(s.comps) == len(d.comps) && d.scans == 1
	for i := range s.comps {
		c := &s.comps[i]
		switch {
		case direct:
			if c.quant, err = d.dequant(c.component); err != nil {
				return false, err
			}
			c.plane = make([]byte, c.blocksX*c.blocksY*64)
		case c.coeffs == nil:
			c.coeffs = make([]int16, c.blocksX*c.blocksY*64)
		}
	}
	if err := d.mcus(s); err != nil {
		return false, err
	}
	d.at = s.at
	return direct, nil
}

func (d *decoder) scanHeader(s *scan, header []byte) error {
	if len(header) < 1 || len(header) != 4+2*int(header[0]) || header[0] < 1 || int(header[0]) > len(d.comps) {
		return fmt.Errorf("%w: scan header", ErrFormat)
	}
	n := int(header[0])
	s.start, s.end = int(header[1+2*n]), int(header[2+2*n])
	s.high, s.low = uint(header[3+2*n]>>4), uint(header[3+2*n]&15)
	if !d.progressive {
		s.start, s.end, s.high, s.low = 0, 63, 0, 0
	} else if s.end > 63 || s.start > s.end || (s.start == 0) != (s.end == 0) || s.start > 0 && n > 1 ||
		s.low > 13 || s.high > 0 && s.low != s.high-1 {
		return fmt.Errorf("%w: progressive parameters %d %d %d %d", ErrFormat, s.start, s.end, s.high, s.low)
	}
	blocks := 0
	for i := range n {
		id, tables := int(header[1+2*i]), header[2+2*i]
		index := -1
		for j := range d.comps {
			if d.comps[j].id == id {
				index = j
			}
		}
		if index < 0 || tables>>4 > 3 || tables&15 > 3 {
			return fmt.Errorf("%w: scan of component %d", ErrFormat, id)
		}
		c := scanComponent{component: &d.comps[index], dc: d.dc[tables>>4], ac: d.ac[tables&15]}
		for _, before := range s.comps {
			if before.component == c.component {
				return fmt.Errorf("%w: scan of component %d twice", ErrFormat, id)
			}
		}
		if c.dc == nil && s.start == 0 && s.high == 0 || c.ac == nil && s.end > 0 {
			return fmt.Errorf("%w: Huffman table of component %d is missing", ErrFormat, id)
		}
		if s.start > 0 && !d.coded[index] {
			return fmt.Errorf("%w: AC scan of component %d before its DC scan", ErrFormat, id)
		}
		d.coded[index] = true
		blocks += c.h * c.v
		s.comps = append(s.comps, c)
	}
	if n > 1 && blocks > 10 {
		return fmt.Errorf("%w: %d blocks in an MCU", ErrFormat, blocks)
	}
	return nil
}

// mcus walks over the blocks of a scan in the order of the file.
func (d *decoder) mcus(s *scan) error {
	mcusX, mcusY := d.mcusX, d.mcusY
	single := len(s.comps) == 1
	if single { // not interleaved: an MCU is a block, and there is no padding
		c := s.comps[0]
		mcusX, mcusY = ceilDiv(c.width, 8), ceilDiv(c.height, 8)
	}
	toRestart, number := d.restart, 0
	for my := range mcusY {
		for mx := range mcusX {
			if d.restart > 0 {
				if toRestart == 0 {
					if err := s.restart(number); err != nil {
						return err
					}
					s.resetPrediction()
					toRestart, number = d.restart, number+1
				}
				toRestart--
			}
			if single {
				s.code(d.progressive, &s.comps[0], mx, my)
				continue
			}
			for i := range s.comps {
				c := &s.comps[i]
				for v := range c.v {
					for h := range c.h {
						s.code(d.progressive, c, mx*c.h+h, my*c.v+v)
					}
				}
			}
		}
		if s.bad {
			return fmt.Errorf("%w: bad Huffman code", ErrFormat)
		}
		if s.ended() {
			return fmt.Errorf("%w: scan ends early", ErrFormat)
		}
	}
	// Bytes that fill took from behind the last code stay behind: the next
	// marker is looked for from the last one that was used.
	s.at -= s.unused()
	return nil
}

// unused is the number of data bytes that lie wholly unread in acc, stuffing
// included.
func (b *bits) unused() int {
	n, at := max(0, b.n-b.over)/8, b.at
	for ; n > 0; n-- {
		if at--; bytes.HasPrefix(b.data[at-1:], []byte{0xFF, 0}) {
			at--
		}
	}
	return b.at - at
}

// blocks is the number of blocks that the scan codes.
func (s *scan) blocks() int {
	if len(s.comps) == 1 {
		return ceilDiv(s.comps[0].width, 8) * ceilDiv(s.comps[0].height, 8)
	}
	n := 0
	for _, c := range s.comps {
		n += c.blocksX * c.blocksY
	}
	return n
}

func (s *scan) resetPrediction() {
	for i := range s.comps {
		s.comps[i].pred = 0
	}
	s.eobRun = 0
}

// code decodes one block's part of the scan.
func (s *scan) code(progressive bool, c *scanComponent, bx, by int) {
	if c.quant != nil {
		s.block = [64]int16{}
		s.sequential(c, &s.block)
		idct(c.plane[by*8*c.stride()+bx*8:], c.stride(), &s.block, c.quant)
		return
	}
	block := (*[64]int16)(c.coeffs[(by*c.blocksX+bx)*64:])
	switch {
	case !progressive:
		s.sequential(c, block)
	case s.start == 0 && s.high == 0:
		block[0] = int16(s.difference(c) << s.low)
	case s.start == 0:
		if s.n < 32 {
			s.fill()
		}
		block[0] |= int16(s.take(1) << s.low)
	case s.high == 0:
		s.acFirst(c, block)
	default:
		s.acRefine(c, block)
	}
}

// difference adds the next DC difference to the prediction.
func (s *scan) difference(c *scanComponent) int32 {
	size := s.symbol(c.dc)
	if size > 15 {
		s.bad = true
		return 0
	}
	c.pred += s.extended(int(size))
	return c.pred
}

// sequential decodes a whole block (T.81, F.2.2).
func (s *scan) sequential(c *scanComponent, block *[64]int16) {
	block[0] = int16(s.difference(c))
	for k := 1; k < 64; k++ {
		rs := s.symbol(c.ac)
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run != 15 {
				break
			}
			k += 15
			continue
		}
		k += run
		v := s.extended(size)
		if k > 63 {
			s.bad = true
			return
		}
		block[zigzag[k]] = int16(v)
	}
}

// acFirst decodes the first bits of a block's AC band (T.81, G.1.2.2).
func (s *scan) acFirst(c *scanComponent, block *[64]int16) {
	if s.eobRun > 0 {
		s.eobRun--
		return
	}
	for k := s.start; k <= s.end; k++ {
		rs := s.symbol(c.ac)
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run != 15 {
				s.eobRun = 1<<run - 1 + s.take(run)
				break
			}
			k += 15
			continue
		}
		k += run
		v := s.extended(size)
		if k > 63 {
			s.bad = true
			return
		}
		block[zigzag[k]] = int16(v << s.low)
	}
}

// acRefine decodes one more bit of each coefficient of the band, and new
// coefficients of that size (T.81, G.1.2.3).
func (s *scan) acRefine(c *scanComponent, block *[64]int16) {
	bit := int16(1) << s.low
	k := s.start
	if s.eobRun == 0 {
		for ; k <= s.end; k++ {
			rs := s.symbol(c.ac)
			run, size := int(rs>>4), int(rs&15)
			value := int16(0)
			switch {
			case size == 0 && run != 15:
				s.eobRun = 1<<run + s.take(run)
			case size > 0: // anything but 1 is damage that libjpeg reads as 1
				value = -bit
				if s.take(1) == 1 {
					value = bit
				}
			}
			if s.eobRun > 0 {
				break
			}
			// Pass run zero coefficients, refining the others on the way.
			for ; k <= s.end; k++ {
				z := &block[zigzag[k]]
				if *z != 0 {
					s.refine(z, bit)
					continue
				}
				if run == 0 {
					*z = value
					break
				}
				run--
			}
		}
	}
	if s.eobRun > 0 {
		for ; k <= s.end; k++ {
			if z := &block[zigzag[k]]; *z != 0 {
				s.refine(z, bit)
			}
		}
		s.eobRun--
	}
}

// refine reads the correction bit of a coefficient that is not zero.
func (s *scan) refine(z *int16, bit int16) {
	if s.n < 32 {
		s.fill()
	}
	if s.take(1) == 0 || *z&bit != 0 {
		return
	}
	if *z > 0 {
		*z += bit
	} else {
		*z -= bit
	}
}
