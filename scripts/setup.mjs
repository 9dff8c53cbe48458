// Sets a checkout up: packages as locked, then the bundle. Does nothing where both are current.
// Runs on the machine's own Node (20 or newer), before any package is there.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const [major] = process.versions.node.split('.').map(Number)
if (major < 20) {
  console.error(`Setting Holdfast up needs Node.js 20 or newer; this is ${process.version}.`)
  process.exit(1)
}

const bin = join(root, 'node_modules', '.bin')
const run = (program, args) => {
  execFileSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  })
}

/** Runs `work` unless the stamp says that it was done for the same input. */
function unlessDone(stamp, input, work) {
  const file = join(root, 'node_modules', stamp)
  if (existsSync(file) && readFileSync(file, 'utf8') === input) return
  work()
  writeFileSync(file, input)
}

function fingerprint(...paths) {
  const hash = createHash('sha256')
  const add = path => {
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) add(join(path, name))
    } else hash.update(path).update('\0').update(readFileSync(path)).update('\0')
  }
  for (const path of paths) add(join(root, path))
  return hash.digest('hex')
}

unlessDone('.holdfast-packages', fingerprint('package-lock.json', 'package.json'), () => {
  console.error('holdfast: installing packages (npm ci)')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
})
const sources = fingerprint('src', 'scripts', 'package.json')
unlessDone('.holdfast-bundle', existsSync(join(root, 'dist', 'main.cjs')) ? sources : '', () => {
  console.error('holdfast: building')
  run(join(bin, 'node'), ['scripts/build.mjs'])
})
writeFileSync(join(root, 'node_modules', '.holdfast-bundle'), sources)
