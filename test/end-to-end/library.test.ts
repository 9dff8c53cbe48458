/** What the package exports, as a program in another directory uses it. */
import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { House } from './house.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('a program hands a task in, follows it, takes its work, and is told what it cannot have', async () => {
  const house = new House()
  const consumer = join(house.scratch, 'consumer')
  mkdirSync(join(consumer, 'node_modules'), { recursive: true })
  symlinkSync(root, join(consumer, 'node_modules/holdfast'))
  copyFileSync(join(root, 'test/fixtures/library-consumer.mts'), join(consumer, 'program.mts'))
  const { stdout } = await promisify(execFile)(process.execPath, [join(consumer, 'program.mts')], {
    cwd: house.repo,
    env: house.environment,
  })
  const said = JSON.parse(stdout)
  expect(said).toEqual({
    sameTask: true,
    seen: said.seen.map((_: number, n: number) => n + 1),
    aborted: 'enough',
    early: 'not_finished with a hint',
    timedOut: [true, false],
    state: 'succeeded',
    priority: 3,
    answer: 'one\nend',
    files: 1,
    patched: true,
    applied: ['would_apply', 'applied', 'undone'],
    endsWith: [null, true],
    cancelled: 'cancelled',
    owed: 0,
    listed: 2,
    raced: [true, ['passed', 'passed'], 2],
    refusals: [
      'no_such_task with a hint',
      'bad_usage with a hint',
      'bad_usage',
      'bad_usage with a hint',
      'idempotency_conflict with a hint',
      'not_a_repository with a hint',
      'bad_usage',
      'already_ended with a hint',
      'refused_in_state with a hint',
      'bad_usage with a hint',
      'bad_usage',
      'bad_usage',
      'bad_usage',
      'bad_usage',
      'bad_usage',
    ],
    told: expect.any(Array),
  })
  expect(said.seen.length).toBeGreaterThan(4)
  expect(house.git('status', '--porcelain')).toBe('')
})

test('the declarations that are shipped are whole, and a program is checked against them', () => {
  const house = new House()
  const consumer = join(house.scratch, 'typed')
  mkdirSync(join(consumer, 'node_modules/holdfast/dist'), { recursive: true })
  for (const file of ['package.json', 'dist/library.d.ts']) {
    copyFileSync(join(root, file), join(consumer, 'node_modules/holdfast', file))
  }
  symlinkSync(join(root, 'node_modules/@types'), join(consumer, 'node_modules/@types'))
  copyFileSync(join(root, 'test/fixtures/library-consumer.mts'), join(consumer, 'program.mts'))
  writeFileSync(
    join(consumer, 'mistake.mts'),
    "import { connect } from 'holdfast'\nawait connect().submit({ prompt: 1 })\n",
  )
  const options = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext']
  const lib = ['--lib', 'es2024,esnext.disposable', '--types', 'node']
  const check = (file: string) =>
    execFileSync(join(root, 'node_modules/.bin/tsc'), [...options, ...lib, file], {
      cwd: consumer,
      env: house.environment,
      stdio: 'pipe',
      encoding: 'utf8',
    })
  expect(check('program.mts')).toBe('')
  expect(() => check('mistake.mts')).toThrow(
    expect.objectContaining({ stdout: expect.stringContaining('mistake.mts(2,') }),
  )
})
