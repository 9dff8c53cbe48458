/** How much of the disk a tree takes, as `du` says it. */
import { execFileSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeDisk, measure } from '../../src/store/disk.ts'
import { scratchDirectory } from '../scratch.ts'

const never = new AbortController().signal

test('blocks count, links are not followed, and what has two names counts once', async () => {
  const top = scratchDirectory()
  const outside = scratchDirectory()
  writeFileSync(join(outside, 'big'), Buffer.alloc(3_000_000, 'x'))
  mkdirSync(join(top, 'deep', 'down'), { recursive: true })
  writeFileSync(join(top, 'deep', 'down', 'file'), Buffer.alloc(1_000_000, 'x'))
  linkSync(join(top, 'deep', 'down', 'file'), join(top, 'again'))
  symlinkSync(outside, join(top, 'outside'))
  symlinkSync(join(outside, 'big'), join(top, 'big'))
  writeFileSync(Buffer.concat([Buffer.from(`${top}/odd`), Buffer.from([0xff, 0x0a])]), 'x')
  const said = execFileSync('du', ['-s', '--block-size=1', top], { encoding: 'utf8' })
  const found = await measure(top, never)
  expect(found).toEqual({ bytes: Number(said.split('\t')[0]), holdsRepository: false })
  expect(found?.bytes).toBeLessThan(2_000_000)
  mkdirSync(join(top, 'deep', '.git'))
  expect(await measure(top, never)).toMatchObject({ holdsRepository: true })
  chmodSync(join(top, 'deep'), 0)
  expect((await measure(top, never))?.bytes).toBeGreaterThan(0)
  chmodSync(join(top, 'deep'), 0o700)
  expect(await measure(join(top, 'missing'), never)).toEqual({ bytes: 0, holdsRepository: false })
})

test('whoever has to leave is let go, and others get their turn meanwhile', async () => {
  const top = scratchDirectory()
  for (let n = 0; n < 3000; n++) writeFileSync(join(top, `${n}`), '')
  expect(await measure(top, AbortSignal.abort())).toBeUndefined()
  const leaving = new AbortController()
  const turns: number[] = []
  const timer = setInterval(() => turns.push(turns.length), 1)
  const measured = await measure(top, leaving.signal)
  clearInterval(timer)
  expect(measured?.bytes).toBeGreaterThanOrEqual(statSync(top).blocks * 512)
  expect(turns.length).toBeGreaterThan(0)
})

test('what was measured is remembered, and what is damaged says nothing', () => {
  const home = scratchDirectory()
  const disk = makeDisk(home)
  expect([disk.loadMeasured().size, disk.loadUse()]).toEqual([0, undefined])
  disk.saveMeasured(new Map([['task a', { bytes: 7, at: 8 }]]))
  expect(disk.loadMeasured()).toEqual(new Map([['task a', { bytes: 7, at: 8 }]]))
  const use = {
    worktrees: 1,
    pool: 2,
    trash: 3,
    snapshots: 6,
    tasks: 4,
    rawOutput: 5,
    isWhole: true,
  }
  disk.saveUse({ use, budgetBytes: 9, measuredAt: 10 })
  expect(disk.loadUse()).toEqual({ use, budgetBytes: 9, measuredAt: 10 })
  for (const torn of ['', 'null', '[]', '{"use":{}}', '{"budgetBytes":1']) {
    writeFileSync(join(home, 'disk.json'), torn)
    writeFileSync(join(home, 'cache', 'disk.json'), torn)
    expect([disk.loadMeasured().size > 1, disk.loadUse()]).toEqual([false, undefined])
  }
  expect(disk.space().totalBytes).toBeGreaterThan(disk.space().freeBytes)
})
