package store

import "context"

// PutSetting stores a named value.
func (q *Q) PutSetting(ctx context.Context, name string, value []byte) error {
	_, err := q.exec(ctx, "put setting", `
		INSERT INTO setting (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value`, name, value)
	return err
}

// SettingOnce returns a named value, storing initial first if there is none.
// Replicas that start together all get the same one.
func (q *Q) SettingOnce(ctx context.Context, name string, initial []byte) ([]byte, error) {
	if _, err := q.exec(ctx, "init setting", `
		INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, initial); err != nil {
		return nil, err
	}
	return one(ctx, q, "setting", value[[]byte], `SELECT value FROM setting WHERE name = $1`, name)
}
