package card

// space fills in what is particular to Spaces.
func (in *Input) space(d *Derived, l *labels) {
	d.Title = in.Data.Text("title")
	d.SDK = in.Data.Text("sdk")
	d.SDKVersion = in.Data.Text("sdk_version")
	d.AppFile = in.Data.Text("app_file")
	d.Emoji = in.Data.Text("emoji")
	d.ColorFrom = in.Data.Text("colorFrom")
	d.ColorTo = in.Data.Text("colorTo")
	d.ShortDescription = in.Data.Text("short_description")
	d.Pinned = in.Data["pinned"] == true
	d.Models = references(in.Data.List("models"))
	d.Datasets = references(in.Data.List("datasets"))
	l.add(d.SDK)
	l.add(in.Data.List("tags")...)
	l.add(in.region())
}

// references keeps what can be the id of a repository.
func references(ids []string) []string {
	var out []string
	for _, id := range ids {
		if repoReference.MatchString(id) {
			out = append(out, id)
		}
	}
	return out
}
