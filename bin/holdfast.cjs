#!/usr/bin/env node
// Checks what the rest takes for granted. Written so that any Node can read it.
var version = process.versions.node.split('.').map(Number)
if (process.platform === 'win32') {
  console.error(
    'Holdfast runs on Windows through WSL2: run "wsl --install", open the Linux terminal, and install it there with "npm install --global holdfast".',
  )
  process.exitCode = 5
} else if (version[0] < 22 || (version[0] === 22 && version[1] < 18)) {
  console.error(`Holdfast needs Node.js 22.18 or newer; this is ${process.version}.`)
  process.exitCode = 5
} else {
  require('../dist/load.cjs')
    .load(require('node:path').join(__dirname, '../dist/main.cjs'))
    .main(process, __filename)
    .then(code => {
      // All is written when a command returns; waiting for Node to tidy up would only take time.
      process.exit(code)
    })
}
