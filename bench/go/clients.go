package main

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v4/pgxpool"
	_ "github.com/jackc/pgx/v4/stdlib"
)

const pointSelect = "select abalance from pgbench_accounts where aid = $1"
const connections = 10

// pgx prepares each text by itself, and reads binary.
type poolClient struct{ pool *pgxpool.Pool }

func openPool(access Access) (client, error) {
	pool, err := newPool(access, connections)
	if err != nil {
		return nil, err
	}
	return poolClient{pool}, nil
}

func newPool(access Access, max int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(access.dsn())
	if err != nil {
		return nil, err
	}
	config.MaxConns = max
	return pgxpool.ConnectConfig(context.Background(), config)
}

func (c poolClient) balance(ctx context.Context, aid int) (int, error) {
	var balance int
	err := c.pool.QueryRow(ctx, pointSelect, aid).Scan(&balance)
	return balance, err
}

func (c poolClient) close() { c.pool.Close() }

type sqlClient struct{ db *sql.DB }

func openSQL(access Access) (client, error) {
	db, err := sql.Open("pgx", access.dsn())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return sqlClient{db}, nil
}

func (c sqlClient) balance(ctx context.Context, aid int) (int, error) {
	var balance int
	err := c.db.QueryRowContext(ctx, pointSelect, aid).Scan(&balance)
	return balance, err
}

func (c sqlClient) close() { c.db.Close() }
