// Finds Holdfast and hands it the event of a hook, in this very process. Written so that any Node can
// read it. Whatever goes wrong here is no reason for a session to fail: then it ends without a word.
// Only whoever has asked for a worktree, and gets none, is told why.
var fs = require('node:fs')
var path = require('node:path')

// These events alone say something by an exit code, with what is on stderr: the one wakes the session,
// and of the other it says why there is no worktree.
var telling = { PostToolUse: 2, WorktreeCreate: 1 }[process.argv[2]]
var isAsked = process.argv[2] === 'WorktreeCreate'

process.on('exit', code => {
  process.exitCode = code === telling || (isAsked && code !== 0) ? telling : 0
})
process.on('uncaughtException', error => {
  fail(String(error))
  process.exit()
})

var version = process.versions.node.split('.').map(Number)
var isOld = version[0] < 22 || (version[0] === 22 && version[1] < 18)
if (process.platform !== 'linux' && process.platform !== 'darwin') {
  fail(`it runs on Linux and macOS; this is ${process.platform}`)
} else if (isOld) {
  fail(`it needs Node.js 22.18 or newer; this is ${process.versions.node}`)
} else {
  hand(process.argv.slice(2, 4))
}

function fail(why) {
  if (!isAsked) return
  process.stderr.write(`Holdfast: ${why}\n`)
  process.exitCode = telling
}

// The event, and the plugin whose hook this is.
function hand(words) {
  var found = findHoldfast()
  if (found === undefined) {
    fail('it is not on the PATH: npm install --global holdfast')
  } else if (isWhole(found)) {
    process.argv = [process.argv[0], found, 'hook'].concat(words)
    require(found)
  } else {
    pass(
      require('node:child_process').spawnSync(found, ['hook'].concat(words), {
        stdio: ['inherit', 'inherit', 'pipe'],
      }),
    )
  }
}

// One that is older than this plugin complains with the same code.
function pass(ended) {
  if (ended.status === telling && String(ended.stderr).startsWith('Holdfast: ')) {
    process.stderr.write(ended.stderr)
    process.exitCode = telling
  } else if (ended.status !== 0) {
    fail(`it failed: ${String(ended.error || ended.stderr).trim()}`)
  }
}

// The package that this plugin lies in; else what a terminal would start. (Claude Code copies a plugin
// without its package, unless it was added by its directory.)
function findHoldfast() {
  var own = path.join(__dirname, '..', '..', 'bin', 'holdfast.cjs')
  if (isWhole(own)) return own
  var named = (process.env.PATH || '')
    .split(path.delimiter)
    .filter(path.isAbsolute)
    .map(place => path.join(place, 'holdfast'))
    .filter(fs.existsSync)
  return named.length === 0 ? undefined : fs.realpathSync(named[0])
}

// A checkout has no program until it is built.
function isWhole(entry) {
  return (
    path.basename(entry) === 'holdfast.cjs' &&
    fs.existsSync(entry) &&
    fs.existsSync(path.join(path.dirname(entry), '..', 'dist', 'main.cjs'))
  )
}
