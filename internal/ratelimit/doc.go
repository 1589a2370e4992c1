// Package ratelimit counts requests and failed attempts per key (an account,
// an address) in bounded memory. Limiter is a token bucket for steady limits;
// Backoff makes repeated failures wait longer and longer. Both live in one
// process: with N replicas a client gets N times as much. Time is a parameter
// of each call. It knows neither HTTP nor any service.
package ratelimit
