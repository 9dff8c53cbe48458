// Format, lint, types, tests: everything that must hold; with --with-agents the real agents' as well.
// Prints the runner's own closing lines and last one plain line, "N passed, N failed". Other arguments
// go to vitest, and then nothing but tests is run.
import { spawnSync } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { freemem, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const SCRATCH = 'hf-'
const WITH_AGENTS = '--with-agents'
const chosen = process.argv.slice(2).filter(word => word !== WITH_AGENTS)
const everything = process.argv.includes(WITH_AGENTS) ? [] : ['--project', 'main']
const scratch = makeScratch()
const report = join(scratch, 'report.json')

/**
 * In memory, where there is room: tests of worktrees take a third less time there. They run
 * programs that they write, so a place that runs none is of no use.
 */
function makeScratch() {
  const memory = '/dev/shm'
  dropAbandoned(memory)
  if (process.env.TMPDIR === undefined && isRoomy(memory)) {
    const made = makeIn(memory)
    if (runsPrograms(made)) return made
    rmSync(made, { recursive: true })
  }
  return makeIn(tmpdir())
}

function makeIn(parent) {
  const made = mkdtempSync(join(parent, `${SCRATCH}${process.pid}-`))
  // Some tests work as another user.
  chmodSync(made, 0o1777)
  return made
}

function runsPrograms(directory) {
  const probe = join(directory, 'probe')
  writeFileSync(probe, '#!/bin/sh\n', { mode: 0o755 })
  return spawnSync(probe).status === 0
}

/** Of runs that were killed: memory is not swept by anybody else. */
function dropAbandoned(parent) {
  const names = existsSync(parent) ? readdirSync(parent) : []
  for (const name of names.filter(name => name.startsWith(SCRATCH))) {
    const pid = Number.parseInt(name.slice(SCRATCH.length), 10)
    try {
      process.kill(pid, 0)
    } catch (error) {
      if (error.code === 'ESRCH') rmSync(join(parent, name), { recursive: true, force: true })
    }
  }
}

function isRoomy(directory) {
  try {
    accessSync(directory, constants.W_OK)
    const { bavail, bsize } = statfsSync(directory)
    return Math.min(bavail * bsize, freemem()) > 4e9
  } catch {
    return false
  }
}

function run(program, ...args) {
  const { status, error } = spawnSync(join(root, 'node_modules', '.bin', program), args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TMPDIR: scratch },
  })
  if (error !== undefined) throw error
  return status === 0
}

/** One line for each test that failed: the end of a long log is all that some ever see of it. */
function describeFailures(files) {
  return files.flatMap(({ name, message, assertionResults }) => {
    const failures = assertionResults.filter(({ status }) => status === 'failed')
    if (failures.length === 0 && message)
      failures.push({ fullName: '', failureMessages: [message] })
    return failures.map(({ fullName, failureMessages }) => {
      const reason = failureMessages.join(' ').replace(/\s+/g, ' ').slice(0, 1500)
      return `failed: ${relative(root, name)}: ${fullName}: ${reason}`
    })
  })
}

let passed = 0
let failed = 0
const check = ok => {
  if (ok) passed++
  else failed++
}
if (chosen.length === 0) {
  check(run('biome', 'ci', '--error-on-warnings', '.'))
  check(run('tsc', '--noEmit'))
}
const selection = chosen.length === 0 ? everything : chosen
const ok = run(
  'vitest',
  'run',
  ...selection,
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
)
try {
  const { numPassedTests, numFailedTests, numFailedTestSuites, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  )
  for (const line of describeFailures(testResults)) console.log(line)
  passed += numPassedTests
  // A suite that cannot even be loaded has no failed test, and has failed all the same.
  failed += numFailedTests === 0 && !ok ? Math.max(1, numFailedTestSuites) : numFailedTests
} catch (error) {
  console.error(`no test report: ${error.message}`)
  failed++
}
rmSync(scratch, { recursive: true, force: true })
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
