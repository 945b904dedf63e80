package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v4"
)

const callers = 64
const warmUp = 300 * time.Millisecond

// cpu is what the process has used, user and system.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// callAll has many callers, each with one query after the other, for so long.
func callAll(one client, rows int, duration time.Duration) (int64, error) {
	endsAt := time.Now().Add(duration)
	var count int64
	var failure error
	var failed sync.Once
	var all sync.WaitGroup
	for caller := 0; caller < callers; caller++ {
		all.Add(1)
		go func(random *rand.Rand) {
			defer all.Done()
			ctx := context.Background()
			own := int64(0)
			for {
				balance, err := one.balance(ctx, 1+random.Intn(rows))
				if err == nil && balance != 0 {
					err = errors.New("an account holds what nobody has put there")
				}
				if err != nil {
					failed.Do(func() { failure = err })
					return
				}
				own++
				if !time.Now().Before(endsAt) {
					break
				}
			}
			atomic.AddInt64(&count, own)
		}(rand.New(rand.NewSource(rand.Int63())))
	}
	all.Wait()
	return count, failure
}

// selectPoints is one round of point selects, with connections of its own.
func selectPoints(name string, access Access, durationMs int) (figures, error) {
	one, err := open(name, access)
	if err != nil {
		return nil, err
	}
	defer one.close()
	if _, err := callAll(one, access.Rows, warmUp); err != nil {
		return nil, err
	}
	runtime.GC()
	cpuBefore, startedAt := cpu(), time.Now()
	count, err := callAll(one, access.Rows, time.Duration(durationMs)*time.Millisecond)
	if err != nil {
		return nil, err
	}
	elapsed, used := time.Since(startedAt), cpu()-cpuBefore
	return figures{
		"rate":  float64(count) / elapsed.Seconds(),
		"cpuUs": ms(used) * 1000 / float64(count),
	}, nil
}

// copyRows copies so many rows of an int and a text with CopyFrom into the empty table bench_copy.
func copyRows(access Access, rows int) (figures, error) {
	ctx := context.Background()
	pool, err := newPool(access, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	for _, statement := range []string{
		"create table if not exists bench_copy (n int4, t text)",
		"truncate bench_copy",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return nil, err
		}
	}
	source := make([][]interface{}, rows)
	for i := range source {
		source[i] = []interface{}{int32(i + 1), fmt.Sprintf("row %d", i+1)}
	}
	runtime.GC()
	cpuBefore, startedAt := cpu(), time.Now()
	into := pgx.Identifier{"bench_copy"}
	copied, err := conn.CopyFrom(ctx, into, []string{"n", "t"}, pgx.CopyFromRows(source))
	if err != nil {
		return nil, err
	}
	elapsed, used := time.Since(startedAt), cpu()-cpuBefore
	if copied != int64(rows) {
		return nil, fmt.Errorf("%d rows were copied", copied)
	}
	return figures{"ms": ms(elapsed), "cpuMs": ms(used)}, nil
}

type wideRow struct {
	id, bucket int32
	score      float64
	isOpen     bool
	name, note string
	madeAt     time.Time
	total      int64
}

// readRows reads the whole table of eight columns so many times.
func readRows(access Access, times int) (figures, error) {
	ctx := context.Background()
	pool, err := newPool(access, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	if _, err := readAll(ctx, pool, access.Rows); err != nil {
		return nil, err
	}
	runtime.GC()
	cpuBefore, startedAt := cpu(), time.Now()
	for i := 0; i < times; i++ {
		if _, err := readAll(ctx, pool, access.Rows); err != nil {
			return nil, err
		}
	}
	elapsed, used := time.Since(startedAt), cpu()-cpuBefore
	each := float64(times)
	return figures{"ms": ms(elapsed) / each, "cpuMs": ms(used) / each}, nil
}

type querier interface {
	Query(ctx context.Context, sql string, args ...interface{}) (pgx.Rows, error)
}

func readAll(ctx context.Context, from querier, expected int) ([]wideRow, error) {
	rows, err := from.Query(ctx,
		"select id, bucket, score, is_open, name, note, made_at, total from bench_rows")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []wideRow
	for rows.Next() {
		var r wideRow
		err := rows.Scan(&r.id, &r.bucket, &r.score, &r.isOpen, &r.name, &r.note, &r.madeAt, &r.total)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(all) != expected {
		return nil, fmt.Errorf("%d rows were read", len(all))
	}
	return all, nil
}
