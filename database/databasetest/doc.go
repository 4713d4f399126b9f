// Package databasetest is the suite that every database.Backend passes. A backend's test calls Run with a way to open
// databases; the tests are named after the rules that they show.
package databasetest
