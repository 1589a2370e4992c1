package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of lz4block.go.
const (
	lanes    = 4
	hashBits = 13
	prime    = 889523592379 << 24
	margin   = 48
	tail     = 16
	slack    = 40
	skipLog  = 3
	stride   = 6
	slide    = 32 << 10
	maxShort = 15
)

// Where the fields of a lz4Stream are.
const (
	atDst    = 0
	atSrc    = 24
	atBase   = 48
	atPos    = 56
	atAnchor = 64
	atN      = 72
	atSkip   = 80
	atTable  = 88
)

// stream is a stream under way: the position that it looks at in a register,
// the rest in the frame. All but skip are addresses.
type stream struct {
	name  string // of the parameter, and the prefix of labels
	pos   reg.GPVirtual
	prime reg.GPVirtual

	thorough bool

	first, base, anchor, limit, matchEnd Mem // in src
	until                                Mem // how far pos may go before the table must slide
	out, outLast                         Mem // in dst, the end and how far it may be for a sequence
	table, skip                          Mem
	backFrom                             Mem // what matches has 8 bytes before it from here on
}

// lz4 writes two functions that do what (*lz4Stream).run does: one for one
// stream, and one for two in turns, which ends when either does. A processor
// waits most of the time for one stream, from a position to its hash, to the
// table, to the candidate, to the length of the match, to the next position, and
// can run the other meanwhile. That needs steps without branches that it would
// guess wrong: whether a step found a match is a matter of conditional moves.
func lz4() {
	TEXT("runOne", NOSPLIT, "func(a *byte)")
	Doc("runOne is run, for processors with AVX, BMI1 and LZCNT.")
	run(false, "a")
	TEXT("runThorough", NOSPLIT, "func(a *byte)")
	Doc("runThorough is runOne of a stream that is thorough.")
	run(true, "a")
	TEXT("runTwo", NOSPLIT, "func(a, b *byte)")
	Doc("runTwo is run of two streams, until one is done, for processors with AVX, BMI1 and LZCNT.")
	run(false, "a", "b")
}

func run(thorough bool, names ...string) {
	Pragma("noescape")
	multiplier, factor := GP64(), uint64(prime&(1<<64-1))
	if thorough {
		factor <<= 8 // four bytes, not five
	}
	MOVQ(U64(factor), multiplier)
	var streams []*stream
	for _, name := range names {
		s := &stream{name: name, prime: multiplier, thorough: thorough}
		for _, local := range []*Mem{&s.first, &s.backFrom, &s.base, &s.anchor, &s.limit, &s.matchEnd, &s.until, &s.out, &s.outLast, &s.table, &s.skip} {
			*local = AllocLocal(8)
		}
		s.load()
		streams = append(streams, s)
	}
	for i, s := range streams {
		s.step(streams[(i+1)%len(streams)].label("step"))
	}
	Label("end")
	for _, s := range streams {
		s.store()
	}
	RET()
	for _, s := range streams {
		s.rareSteps()
	}
}

func (s *stream) label(name string) string { return s.name + "_" + name }
func (s *stream) mark(name string)         { Label(s.label(name)) }
func (s *stream) ref(name string) LabelRef { return LabelRef(s.label(name)) }

func read(m Mem) reg.GPVirtual {
	r := GP64()
	MOVQ(m, r)
	return r
}

// load moves the stream into registers and the frame.
func (s *stream) load() {
	at := GP64()
	Load(Param(s.name), at)
	field := func(disp int) Mem { return Mem{Base: at, Disp: disp} }
	x := read(field(atDst))
	y := read(field(atN))
	ADDQ(x, y)
	MOVQ(y, s.out)
	ADDQ(field(atDst+8), x)
	SUBQ(I8(slack), x)
	MOVQ(x, s.outLast)
	src := read(field(atSrc))
	MOVQ(src, s.first)
	x = GP64()
	LEAQ(Mem{Base: src, Disp: 8}, x)
	MOVQ(x, s.backFrom)
	x = read(field(atSrc + 8))
	LEAQ(Mem{Base: src, Index: x, Scale: 1, Disp: -tail}, x)
	MOVQ(x, s.matchEnd)
	LEAQ(Mem{Base: x, Disp: tail - margin}, x)
	MOVQ(x, s.limit)
	x = read(field(atAnchor))
	ADDQ(src, x)
	MOVQ(x, s.anchor)
	x = read(field(atSkip))
	MOVQ(x, s.skip)
	base := read(field(atBase))
	ADDQ(src, base)
	MOVQ(base, s.base)
	s.pos = read(field(atPos))
	ADDQ(src, s.pos)
	LEAQ(field(atTable), at)
	MOVQ(at, s.table)
	s.setUntil(base)
}

// store is the reverse.
func (s *stream) store() {
	at := GP64()
	Load(Param(s.name), at)
	field := func(disp int) Mem { return Mem{Base: at, Disp: disp} }
	x := read(s.out)
	SUBQ(field(atDst), x)
	MOVQ(x, field(atN))
	src := read(s.first)
	SUBQ(src, s.pos)
	MOVQ(s.pos, field(atPos))
	for _, f := range []struct {
		local Mem
		disp  int
	}{{s.base, atBase}, {s.anchor, atAnchor}} {
		x := read(f.local)
		SUBQ(src, x)
		MOVQ(x, field(f.disp))
	}
	x = read(s.skip)
	MOVQ(x, field(atSkip))
}

func (s *stream) setUntil(base reg.GPVirtual) {
	until := GP64()
	LEAQ(Mem{Base: base, Disp: 1<<16 - lanes}, until)
	CMPQ(until, s.limit)
	CMOVQHI(s.limit, until)
	MOVQ(until, s.until)
}

// hash returns the place in the table for the bytes at pos+disp.
func (s *stream) hash(disp int) reg.GPVirtual {
	h := GP64()
	MOVQ(s.prime, h)
	IMULQ(Mem{Base: s.pos, Disp: disp}, h)
	SHRQ(U8(64-hashBits), h)
	return h
}

// step is one step, after which it goes on at next.
func (s *stream) step(next string) {
	s.mark("step")
	CMPQ(s.pos, s.until)
	JA(s.ref("slow"))
	base := read(s.base)
	found := s.probe(base)

	// Without a match, the rest measures something else and writes it where the
	// next step will write over it.
	p, c := GP64(), GP64()
	MOVL(found.As32(), p.As32())
	SHRL(U8(16), p.As32())
	ADDQ(s.pos, p)
	MOVWLZX(found.As16(), c.As32())
	ADDQ(base, c)

	Comment("How far the match goes on, up to 16 bytes.")
	length, same := GP64(), XMM()
	VMOVDQU(Mem{Base: p, Disp: 4}, same)
	VPCMPEQB(Mem{Base: c, Disp: 4}, same, same)
	VPMOVMSKB(same, length.As32())
	NOTL(length.As32())
	TZCNTL(length.As32(), length.As32())

	Comment("Where the match ends, which does not wait for where it begins.")
	behind, dist := GP64(), GP64()
	LEAQ(Mem{Base: p, Index: length, Scale: 1, Disp: 4}, behind)
	MOVQ(p, dist)
	SUBQ(c, dist)

	Comment("How far back it goes.")
	lit := GP64()
	MOVQ(p, lit)
	SUBQ(s.anchor, lit)
	CMPQ(c, s.backFrom)
	JB(s.ref("begun"))
	back := GP64()
	MOVQ(Mem{Base: p, Disp: -8}, back)
	XORQ(Mem{Base: c, Disp: -8}, back)
	LZCNTQ(back, back)
	SHRQ(U8(3), back)
	CMPQ(back, lit)
	CMOVQHI(lit, back)
	SUBQ(back, lit)
	ADDQ(back, length)
	s.mark("begun")

	Comment("Write it.")
	none := GP64()
	XORL(none.As32(), none.As32())
	CMPL(found.As32(), U32(lanes<<16))
	CMOVQCC(none, lit)
	CMOVQCC(none, length)
	out := read(s.out)
	CMPQ(out, s.outLast)
	JA(s.ref("full"))
	CMPQ(lit, I8(maxShort))
	JAE(s.ref("large"))
	CMPQ(length, I8(maxShort))
	JAE(s.ref("large"))
	token, anchor, x := GP64(), read(s.anchor), XMM()
	MOVQ(lit, token)
	SHLQ(U8(4), token)
	ORQ(length, token)
	MOVB(token.As8(), Mem{Base: out})
	MOVUPS(Mem{Base: anchor}, x)
	MOVUPS(x, Mem{Base: out, Disp: 1})
	MOVW(dist.As16(), Mem{Base: out, Index: lit, Scale: 1, Disp: 1})

	Comment("Go on behind the match, or further and further away.")
	end := GP64()
	LEAQ(Mem{Base: out, Index: lit, Scale: 1, Disp: 3}, end)
	if s.thorough {
		ADDQ(I8(lanes), s.pos)
	} else {
		s.leap(none, found)
	}
	CMPL(found.As32(), U32(lanes<<16))
	CMOVQCC(out, end)
	CMOVQCS(behind, anchor)
	CMOVQCS(behind, s.pos)
	MOVQ(end, s.out)
	MOVQ(anchor, s.anchor)
	JMP(LabelRef(next))

	s.mark("large")
	s.extend(p, dist, length, behind)
	s.writeLarge(out, lit, length, dist)
	MOVQ(behind, s.pos)
	MOVQ(s.pos, s.anchor)
	MOVQ(none, s.skip)
	JMP(LabelRef(next))
}

// leap goes on as if the step had been futile, but counts only if it was.
func (s *stream) leap(none, found reg.GPVirtual) {
	skip, ahead := read(s.skip), GP64()
	INCQ(skip)
	MOVQ(skip, ahead)
	SHRQ(U8(skipLog), ahead)
	LEAQ(Mem{Base: s.pos, Index: ahead, Scale: lanes, Disp: stride}, s.pos)
	CMPL(found.As32(), U32(lanes<<16))
	CMOVQCS(none, skip)
	MOVQ(skip, s.skip)
}

// probe looks up lanes positions and returns the number of the first that
// matches in the upper half of a word, lanes if none does, and what it matches,
// from base, in the lower.
func (s *stream) probe(base reg.GPVirtual) (found reg.GPVirtual) {
	Comment("Look up and remember the next positions.")
	table, now := read(s.table), GP64()
	MOVQ(s.pos, now)
	SUBQ(base, now)
	var cands [lanes]reg.GPVirtual
	for k := range lanes {
		h := s.hash(k)
		cands[k] = GP64()
		MOVWLZX(Mem{Base: table, Index: h, Scale: 2}, cands[k].As32())
		MOVW(now.As16(), Mem{Base: table, Index: h, Scale: 2})
		if k > 0 {
			LEAQ(Mem{Base: cands[k], Disp: k << 16}, cands[k])
		}
		if k < lanes-1 {
			INCL(now.As32())
		}
	}
	Comment("The first that matches.")
	found = GP64()
	MOVL(U32(lanes<<16|8), found.As32()) // any that has 8 bytes before it
	for k := lanes - 1; k >= 0; k-- {
		v := GP32()
		MOVL(Mem{Base: s.pos, Disp: k}, v)
		CMPL(v, Mem{Base: base, Index: cands[k], Scale: 1, Disp: -(k << 16)})
		CMOVQEQ(cands[k], found)
	}
	return found
}

// extend counts on where the match did not end in the first 16 bytes.
func (s *stream) extend(p, dist, length, behind reg.GPVirtual) {
	x, c := GP64(), GP64()
	LEAQ(Mem{Base: p, Disp: 4 + 16}, x)
	CMPQ(behind, x)
	JNE(s.ref("extended"))
	s.mark("extend")
	CMPQ(behind, s.matchEnd)
	JA(s.ref("extended"))
	MOVQ(behind, c)
	SUBQ(dist, c)
	MOVQ(Mem{Base: behind}, x)
	XORQ(Mem{Base: c}, x)
	JNZ(s.ref("differs"))
	ADDQ(I8(8), length)
	ADDQ(I8(8), behind)
	JMP(s.ref("extend"))
	s.mark("differs")
	TZCNTQ(x, x)
	SHRQ(U8(3), x)
	ADDQ(x, length)
	ADDQ(x, behind)
	s.mark("extended")
}

// writeLarge writes a sequence of any lengths.
func (s *stream) writeLarge(out, lit, length, dist reg.GPVirtual) {
	room, part := GP64(), GP64()
	MOVQ(lit, room)
	SHRQ(U8(7), room)
	MOVQ(length, part)
	SHRQ(U8(7), part)
	ADDQ(part, room)
	ADDQ(lit, room)
	ADDQ(out, room)
	CMPQ(room, s.outLast)
	JA(s.ref("full"))

	token, most := GP64(), GP64()
	MOVL(U32(maxShort), most.As32())
	MOVQ(lit, token)
	CMPQ(token, most)
	CMOVQHI(most, token)
	SHLQ(U8(4), token)
	MOVQ(length, part)
	CMPQ(part, most)
	CMOVQHI(most, part)
	ORQ(part, token)
	MOVB(token.As8(), Mem{Base: out})
	INCQ(out)
	s.writeCount("literals", out, lit)

	from, to, x := read(s.anchor), GP64(), XMM()
	MOVQ(out, to)
	ADDQ(lit, out)
	s.mark("copy")
	MOVUPS(Mem{Base: from}, x)
	MOVUPS(x, Mem{Base: to})
	ADDQ(I8(16), from)
	ADDQ(I8(16), to)
	CMPQ(to, out)
	JB(s.ref("copy"))

	MOVW(dist.As16(), Mem{Base: out})
	ADDQ(I8(2), out)
	s.writeCount("match", out, length)
	MOVQ(out, s.out)
}

// writeCount writes what n has beyond 15, if it is that large.
func (s *stream) writeCount(of string, out, n reg.GPVirtual) {
	rest := GP64()
	MOVQ(n, rest)
	SUBQ(I8(maxShort), rest)
	JB(s.ref(of + "_counted"))
	s.mark(of + "_count")
	CMPQ(rest, U32(255))
	JB(s.ref(of + "_last"))
	MOVB(U8(255), Mem{Base: out})
	INCQ(out)
	SUBQ(U32(255), rest)
	JMP(s.ref(of + "_count"))
	s.mark(of + "_last")
	MOVB(rest.As8(), Mem{Base: out})
	INCQ(out)
	s.mark(of + "_counted")
}

// rareSteps are the end of the stream, its failure, and the sliding of its
// table: base moves forward and all entries move back, those that would lie
// before it to its beginning.
func (s *stream) rareSteps() {
	s.mark("slow")
	CMPQ(s.pos, s.limit)
	JA(LabelRef("end"))
	by, x, at, n := XMM(), XMM(), read(s.table), GP32()
	PCMPEQW(by, by)
	PSLLW(U8(15), by)
	MOVL(U32(2<<hashBits/16), n)
	s.mark("slide")
	MOVUPS(Mem{Base: at}, x)
	PSUBUSW(by, x)
	MOVUPS(x, Mem{Base: at})
	ADDQ(U8(16), at)
	DECL(n)
	JNZ(s.ref("slide"))
	base := read(s.base)
	ADDQ(U32(slide), base)
	MOVQ(base, s.base)
	s.setUntil(base)
	JMP(s.ref("step"))

	s.mark("full")
	Load(Param(s.name), at)
	MOVQ(Mem{Base: at, Disp: atDst}, at)
	DECQ(at)
	MOVQ(at, s.out)
	JMP(LabelRef("end"))
}
