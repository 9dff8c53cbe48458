#!/usr/bin/env node
// Stands where the Codex plugin for Claude Code has its own `scripts/codex-companion.mjs`, and hands all
// that it is given to `holdfast companion`: of the package that it came with, else on the PATH. Written so
// that an old Node can read it, and be told what is needed.
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const words = ['companion', ...process.argv.slice(2)]
const here = dirname(realpathSync(fileURLToPath(import.meta.url)))
const own = join(here, '../bin/holdfast.cjs')
if (existsSync(own)) {
  process.argv = [process.argv[0], own, ...words]
  createRequire(import.meta.url)(own)
} else {
  handOver()
}

/** Without a shell; its streams are ours, and so is its end. */
function handOver() {
  const child = spawn('holdfast', words, { stdio: 'inherit' })
  child.on('error', error => {
    process.stderr.write(`holdfast cannot be started: ${error.message}
  install it with "npm install --global holdfast", so that it is on the PATH
`)
    process.exitCode = 1
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal))
  }
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? code : 128 + constants.signals[signal]
  })
}
