//go:build !amd64 && !arm64

package kernel

var levelNames = map[string]level{"portable": levelPortable}

func processor() level { return levelPortable }
