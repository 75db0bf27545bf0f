package session

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"novacron/backend/core/id"
)

// aliveBatch is how many sign-ins one question is about.
const aliveBatch = 500

// Alive says which of the sign-ins have not ended.
func (s *SQL) Alive(ctx context.Context, sessions []id.Session) (map[id.Session]bool, error) {
	alive := map[id.Session]bool{}
	for part := range slices.Chunk(sessions, aliveBatch) {
		err := s.call(ctx, "look at sessions", func(ctx context.Context) error {
			args := []any{s.now().UnixMicro()}
			for _, sid := range part {
				args = append(args, string(sid))
			}
			rows, err := s.db.QueryContext(ctx, "select id from session_logins where ends > $1 and id in ("+places(2, len(part))+")", args...)
			if err != nil {
				return err
			}
			defer rows.Close() //nolint:errcheck // the error of the reading is the one that says something
			for rows.Next() {
				var sid string
				if err := rows.Scan(&sid); err != nil {
					return err
				}
				alive[id.Session(sid)] = true
			}
			return rows.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	return alive, nil
}

// Alive says which of the sign-ins have not ended.
func (s *Redis) Alive(ctx context.Context, sessions []id.Session) (map[id.Session]bool, error) {
	alive := map[id.Session]bool{}
	for part := range slices.Chunk(sessions, aliveBatch) {
		keys := make([]string, len(part))
		for i, sid := range part {
			keys[i] = sessionKey + string(sid)
		}
		err := s.call(ctx, "look at sessions", func(ctx context.Context) error {
			values, err := s.db.MGet(ctx, keys...).Result()
			for i, value := range values {
				if s.live(value) {
					alive[part[i]] = true
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return alive, nil
}

// places is "$from,$from+1,…", n of them.
func places(from, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = "$" + strconv.Itoa(from+i)
	}
	return strings.Join(out, ",")
}
