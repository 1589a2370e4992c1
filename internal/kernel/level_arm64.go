package kernel

// levelNEON is what every arm64 processor has.
const levelNEON = levelPortable + 1

var levelNames = map[string]level{"portable": levelPortable, "neon": levelNEON}

func processor() level { return levelNEON }
