package chat

import (
	"fmt"
	"strings"
	"time"
)

// strftime is datetime.strftime of Python with the C locale and the flags - _
// 0 ^ # of glibc. A directive that does not exist stays as it is.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		start := i
		i++
		flag := byte(0)
		for i+1 < len(format) && strings.IndexByte("-_0^#", format[i]) >= 0 {
			flag = format[i]
			i++
		}
		s, ok := directive(t, format[i])
		if !ok {
			b.WriteString(format[start : i+1])
			continue
		}
		if flag == '^' || flag == '#' || strings.IndexByte("DTRrcxXF", format[i]) < 0 {
			s = flagged(s, flag) // padding is that of one number, not of several
		}
		b.WriteString(s)
	}
	return b.String()
}

// flagged changes how a directive is padded or written.
func flagged(s string, flag byte) string {
	switch flag {
	case '-':
		if t := strings.TrimLeft(s, "0 "); t != "" {
			return t
		}
		return s[len(s)-1:]
	case '_':
		t := strings.TrimLeft(s, "0")
		if t == "" {
			t = "0"
		}
		return fmt.Sprintf("%*s", len(s), t)
	case '0':
		return strings.ReplaceAll(s, " ", "0")
	case '^', '#':
		return strings.ToUpper(s)
	}
	return s
}

func directive(t time.Time, c byte) (string, bool) {
	layouts := map[byte]string{
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'd': "02", 'e': "_2", 'm': "01", 'y': "06",
		'Y': "2006", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'c': "Mon Jan _2 15:04:05 2006",
		'x': "01/02/06", 'D': "01/02/06", 'X': "15:04:05", 'T': "15:04:05", 'F': "2006-01-02", 'R': "15:04",
		'r': "03:04:05 PM",
	}
	if layout := layouts[c]; layout != "" {
		return t.Format(layout), true
	}
	yearDay, weekday := t.YearDay(), int(t.Weekday())
	year, week := t.ISOWeek()
	switch c {
	case 'j':
		return fmt.Sprintf("%03d", yearDay), true
	case 'k':
		return fmt.Sprintf("%2d", t.Hour()), true
	case 'l':
		return fmt.Sprintf("%2d", (t.Hour()+11)%12+1), true
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), true
	case 's':
		return fmt.Sprint(t.Unix()), true
	case 'u':
		return fmt.Sprint((weekday+6)%7 + 1), true
	case 'w':
		return fmt.Sprint(weekday), true
	case 'U':
		return fmt.Sprintf("%02d", (yearDay+6-weekday)/7), true
	case 'W':
		return fmt.Sprintf("%02d", (yearDay+6-(weekday+6)%7)/7), true
	case 'V':
		return fmt.Sprintf("%02d", week), true
	case 'G':
		return fmt.Sprint(year), true
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100), true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case '%':
		return "%", true
	case 'z', 'Z':
		return "", true // datetime.now() knows no zone
	}
	return "", false
}
