#!/usr/bin/env node
// Checks what the rest takes for granted. Written so that any Node can read it.
var version = process.versions.node.split('.').map(Number)
if (process.platform !== 'linux' && process.platform !== 'darwin') {
  refusePlatform()
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

// In the form of every refusal: a line for people, and a document for those who asked for one.
function refusePlatform() {
  var windows = process.platform === 'win32'
  var message = windows
    ? 'Holdfast runs on Windows through WSL2'
    : `Holdfast runs on Linux and macOS; this is ${process.platform}.`
  var hint = windows
    ? 'run "wsl --install", open the Linux terminal, and install it there with "npm install --global holdfast".'
    : null
  var words = process.argv.slice(2)
  var dashes = words.indexOf('--')
  if (words.slice(0, dashes < 0 ? words.length : dashes).indexOf('--json') >= 0) {
    console.log(JSON.stringify({ error: { code: 'unsupported_platform', message, hint } }))
  }
  console.error(hint === null ? message : `${message}: ${hint}`)
  process.exitCode = 5
}
