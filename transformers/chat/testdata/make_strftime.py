"""Dates as Python writes them: [time, format, text].

usage: make_strftime.py > strftime.json
"""
import datetime, json
d=[datetime.datetime(2026,3,7,9,5,2,123456),datetime.datetime(2024,12,31,23,59,59),datetime.datetime(2000,1,1,0,0,0),datetime.datetime(2023,10,15,12,30,0)]
dirs="aAbBhdemyYHIMScxXDTFRrpjklfuwUWVGCnt%zZ"
out=[]
for x in d:
    for c in dirs:
        for f in ["","-","_","0","^"]:
            if c in "fnt%zZcxX" and f: continue
            out.append([x.strftime("%Y-%m-%dT%H:%M:%S.%f"), "%"+f+c, x.strftime("%"+f+c)])
out.append([d[0].isoformat(), "%q %", d[0].strftime("%q %")])
print(json.dumps(out))
