package jpeg

// Constants of the Loeffler-Ligtenberg-Moschytz transform (ICASSP 1989,
// "Practical fast 1-D DCT algorithms with 11 multiplications", figure 1), in
// units of 2^-13. Their rounding and that between the passes is libjpeg's
// "islow" method.
const (
	constBits = 13
	passBits  = 2 // extra precision between the passes

	fix0298631336 = 2446
	fix0390180644 = 3196
	fix0541196100 = 4433
	fix0765366865 = 6270
	fix0899976223 = 7373
	fix1175875602 = 9633
	fix1501321110 = 12299
	fix1847759065 = 15137
	fix1961570560 = 16069
	fix2053119869 = 16819
	fix2562915447 = 20995
	fix3072711026 = 25172
)

// idct writes the 8×8 samples of a block of coefficients, dequantised by q,
// to dst. Both are in natural order.
func idct(dst []byte, stride int, block *[64]int16, q *[64]int32) {
	var ws [64]int32
	flat := true // no AC coefficient anywhere
	for x := range 8 {
		c := block[x:]
		if c[8]|c[16]|c[24]|c[32]|c[40]|c[48]|c[56] == 0 {
			v := int32(c[0]) * q[x] << passBits
			for y := range 8 {
				ws[y*8+x] = v
			}
			flat = flat && (x == 0 || v == 0)
			continue
		}
		flat = false
		var in [8]int32
		for y := range in {
			in[y] = int32(c[y*8]) * q[y*8+x]
		}
		transform(&in, constBits-passBits)
		for y, v := range in {
			ws[y*8+x] = v
		}
	}
	if flat {
		v := level(ws[0], passBits+3)
		for y := range 8 {
			row := dst[y*stride:][:8]
			for x := range row {
				row[x] = v
			}
		}
		return
	}
	for y := range 8 {
		in := (*[8]int32)(ws[y*8:])
		row := dst[y*stride:][:8]
		if in[1]|in[2]|in[3]|in[4]|in[5]|in[6]|in[7] == 0 {
			v := level(in[0], passBits+3)
			for x := range row {
				row[x] = v
			}
			continue
		}
		transform(in, constBits+passBits+3)
		for x, v := range in {
			row[x] = level(v, 0)
		}
	}
}

// level is v / 2^shift, rounded, as a sample: shifted up by 128 and clipped.
func level(v int32, shift uint) byte {
	if shift > 0 {
		v = (v + 1<<(shift-1)) >> shift
	}
	return byte(min(max(v+128, 0), 255))
}

// transform is the inverse transform of eight values in place, divided by
// 2^shift and rounded.
func transform(in *[8]int32, shift uint) {
	// Even part.
	z1 := (in[2] + in[6]) * fix0541196100
	t2 := z1 - in[6]*fix1847759065
	t3 := z1 + in[2]*fix0765366865
	t0 := (in[0] + in[4]) << constBits
	t1 := (in[0] - in[4]) << constBits
	e0, e3 := t0+t3, t0-t3
	e1, e2 := t1+t2, t1-t2

	// Odd part.
	o0, o1, o2, o3 := in[7], in[5], in[3], in[1]
	z1 = (o0 + o3) * -fix0899976223
	z2 := (o1 + o2) * -fix2562915447
	z3 := o0 + o2
	z4 := o1 + o3
	z5 := (z3 + z4) * fix1175875602
	z3 = z5 - z3*fix1961570560
	z4 = z5 - z4*fix0390180644
	o0 = o0*fix0298631336 + z1 + z3
	o1 = o1*fix2053119869 + z2 + z4
	o2 = o2*fix3072711026 + z2 + z3
	o3 = o3*fix1501321110 + z1 + z4

	half := int32(1) << (shift - 1)
	in[0], in[7] = (e0+o3+half)>>shift, (e0-o3+half)>>shift
	in[1], in[6] = (e1+o2+half)>>shift, (e1-o2+half)>>shift
	in[2], in[5] = (e2+o1+half)>>shift, (e2-o1+half)>>shift
	in[3], in[4] = (e3+o0+half)>>shift, (e3-o0+half)>>shift
}
