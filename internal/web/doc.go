// Package web serves the pages that people see: lists, repositories with their
// cards, files and history, accounts and settings. Pages are rendered on the
// server, work without scripts, and load nothing from anywhere but the hub
// (images in cards excepted, see Config.ImageSources).
//
// # Safety
//
// Everything that strangers wrote reaches a page through html/template or
// through package render, which sanitises it; no other template.HTML is made
// from data. Every page carries a content security policy that forbids inline
// scripts and styles, frames and other sites' forms. Every request that changes
// something must come from a page of this hub and from a browser session: an
// access token reads pages, it never posts to them. A redirect that a query
// names goes to a path of the hub only. What an error says to a person comes
// from httpx.Describe, never from err.Error.
//
// # Shape
//
// A handler decodes, calls one service, and fills a view struct; a view holds
// text and values ready to print and no service. Each page is one file in
// templates, defined over the same layout and partials.
//
// It imports services (repo, identity), render and the formats, never store's
// queries, git, cas or bucket.
package web
