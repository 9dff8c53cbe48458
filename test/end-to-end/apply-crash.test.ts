/** kill -9 at every step of an application, and of taking one back: the next command mends it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { crashPoints } from '../../src/domain/crash-points.ts'
import { eventually } from '../eventually.ts'
import { exactly } from '../exactly.ts'
import { House } from './house.ts'

class Crashing {
  readonly points: string
  readonly house: House

  constructor() {
    this.house = new House()
    this.points = join(this.house.scratch, 'points')
    mkdirSync(this.points)
    this.house.makeDirty()
    this.house.write('directory/a.txt', 'a\n')
    this.house.write('directory/b.txt', 'b\n')
    this.house.git('add', 'directory')
    this.house.git('commit', '--quiet', '--message=second', 'directory')
  }

  /** Changes, deletes, adds, makes and empties directories, links. */
  async submit(mark = 'agent'): Promise<string> {
    const script = `echo ${mark} >> kept.txt; echo ${mark} >> staged.txt; rm -r directory
      mkdir -p deep/er; echo ${mark} > deep/er/new.txt; ln -s kept.txt ${mark}-link; chmod +x untracked*`
    const id = await this.house.submitScript(script)
    await this.house.wait(id)
    return id
  }

  /** Runs a command that kills itself the first or second time that it reaches a point. */
  async kill(words: readonly string[], point: string, nth: 1 | 2 = 1): Promise<void> {
    const armed = join(this.points, point)
    for (const name of readdirSync(this.points)) rmSync(join(this.points, name))
    writeFileSync(armed, nth === 1 ? 'kill' : 'stand')
    const running = this.house.run(words, { environment: { HOLDFAST_CRASH_POINTS: this.points } })
    if (nth === 2) {
      await eventually(`${point} is reached`, () => existsSync(`${armed}.pid`))
      writeFileSync(armed, 'kill')
      writeFileSync(`${armed}.go`, '')
    }
    const { code } = await running
    // Armed no more: it was reached so often. Ended by a signal: it has no exit code.
    const seen = { point, nth, isArmed: existsSync(armed), code }
    expect(seen).toEqual({ point, nth, isArmed: false, code: -1 })
  }

  files() {
    return exactly({ root: this.house.repo })
  }

  /** What the user has that no application may touch. */
  index() {
    return readFileSync(join(this.house.repo, '.git/index'), 'latin1')
  }

  /** What an application leaves, in the repository and in the task directory. */
  traces(id: string) {
    const { repo, home } = this.house
    const list = (path: string) => (existsSync(path) ? readdirSync(path) : [])
    const journals = list(join(home, 'tasks', id, 'applied'))
    return {
      refs: this.house.git('for-each-ref', `refs/holdfast/${id}/undo`),
      // A number may have been set aside by one that was killed right then.
      journals: journals.filter(
        name => readFileSync(join(home, 'tasks', id, 'applied', name)).length > 0,
      ),
      scratch: list(join(home, 'tasks', id)).filter(name => name.startsWith('applying')),
      exchange: [...list(join(repo, '.git')), ...list(repo)].filter(name =>
        name.includes('holdfast-apply'),
      ),
    }
  }
}

const none = { refs: '', journals: [], scratch: [], exchange: [] }

const pointsOf = (group: string) => {
  const found = Object.entries(crashPoints).find(([name]) => name.startsWith(group))
  if (found === undefined) throw new Error(`no crash points of ${group}`)
  return Object.keys(found[1])
}
const applying: (readonly [string, 1 | 2])[] = [
  ...pointsOf('Applying').map(point => [point, 1] as const),
  ...([1, 2] as const).map(nth => ['exchange.taken-away', nth] as const),
  ...([1, 2] as const).map(nth => ['exchange.put', nth] as const),
]
const takingBack: (readonly [string, 1 | 2])[] = [
  ...pointsOf('Taking back (`apply').map(point => [point, 1] as const),
  ...([1, 2] as const).map(nth => ['exchange.taken-away', nth] as const),
  ...([1, 2] as const).map(nth => ['exchange.put', nth] as const),
]

describe('an application that is killed', () => {
  test('is finished by the next one, or taken back, whichever comes', async () => {
    const scene = new Crashing()
    const { house } = scene
    const id = await scene.submit()
    const before = scene.files()
    const index = scene.index()
    await house.ok(['apply', id])
    const after = scene.files()
    expect(after).not.toEqual(before)
    await house.ok(['apply', '--undo', id])
    expect(scene.files()).toEqual(before)

    for (const [point, nth] of applying) {
      await scene.kill(['apply', id], point, nth)
      await house.ok(['apply', id])
      expect([point, scene.files()]).toEqual([point, after])
      expect((await house.task(id)).taken).not.toBeNull()
      expect(scene.traces(id)).toMatchObject({ scratch: [], exchange: [], journals: { length: 1 } })
      await house.ok(['apply', '--undo', id])
      expect([point, scene.files()]).toEqual([point, before])

      await scene.kill(['apply', id], point, nth)
      const undone = await house.run(['apply', '--undo', id])
      // Before the journal there is nothing to take back.
      const isNothing = point === 'apply.planned'
      expect([point, undone.code]).toEqual([point, isNothing ? 5 : 0])
      expect([point, scene.files()]).toEqual([point, before])
      if (!isNothing) expect([point, scene.traces(id)]).toEqual([point, none])
      expect((await house.task(id)).taken).toBeNull()
    }
    expect(scene.index()).toBe(index)
  }, 600_000)

  test('is taken back by that of another task, which then goes its own way', async () => {
    const scene = new Crashing()
    const { house } = scene
    const [one, other] = [await scene.submit('one'), await scene.submit('other')]
    const before = scene.files()
    await house.ok(['apply', other])
    const after = scene.files()
    await house.ok(['apply', '--undo', other])

    await scene.kill(['apply', one], 'exchange.put', 2)
    const half = scene.files()
    expect(half).not.toEqual(before)
    expect(await house.ok(['doctor'])).toContain(`holdfast apply --undo ${one}`)
    const check = await house.run(['apply', other, '--check', '--json'])
    expect(check.code).toBe(5)
    expect(JSON.parse(check.stdout)).toMatchObject({ error: { code: 'operation_in_progress' } })
    expect(scene.files()).toEqual(half)
    const applied = await house.run(['apply', other])
    expect(applied.code).toBe(0)
    expect(applied.stderr).toContain(`an apply of ${one} that was killed half-way was taken back`)
    expect(scene.files()).toEqual(after)
    expect(scene.traces(one)).toEqual(none)
    await house.ok(['apply', '--undo', other])
    expect(scene.files()).toEqual(before)

    // The taking back of one that stands, killed: it is finished first, and the row knows.
    await house.ok(['apply', one])
    await scene.kill(['apply', '--undo', one], 'exchange.put', 1)
    await house.ok(['apply', other])
    expect(scene.files()).toEqual(after)
    expect((await house.task(one)).taken).toBeNull()
    expect((await house.task(other)).taken).not.toBeNull()
  })

  test('what was edited since then stays, and is named, and the rest is not lost', async () => {
    const scene = new Crashing()
    const { house } = scene
    const id = await scene.submit()
    const before = scene.files()
    await scene.kill(['apply', id], 'apply.exchanged')
    house.write('kept.txt', 'edited since\n')
    const half = scene.files()
    for (const words of [
      ['apply', id],
      ['apply', '--undo', id],
    ]) {
      const refused = await house.run([...words, '--json'])
      expect(refused.code).toBe(5)
      expect(JSON.parse(refused.stdout).error).toMatchObject({
        code: 'changed_since',
        message: expect.stringContaining('kept.txt'),
      })
      expect(scene.files()).toEqual(half)
    }
    const old = house.git('show', `refs/holdfast/${id}/undo/1:kept.txt`)
    expect(old).toBe('one\nTWO\nthree\n')
    rmSync(join(house.repo, 'kept.txt'))
    await house.ok(['apply', '--undo', id])
    expect(scene.files()).toEqual(before)
    expect(scene.traces(id)).toEqual(none)
  })
})

describe('taking back that is killed', () => {
  test('is finished by the next one, and by the next application', async () => {
    const scene = new Crashing()
    const { house } = scene
    const id = await scene.submit()
    const before = scene.files()
    const index = scene.index()
    await house.ok(['apply', id])
    const after = scene.files()

    for (const [point, nth] of takingBack) {
      await scene.kill(['apply', '--undo', id], point, nth)
      const again = await house.run(['apply', '--undo', id])
      expect([point, again.code]).toEqual([point, 0])
      expect([point, scene.files()]).toEqual([point, before])
      expect([point, scene.traces(id)]).toEqual([point, none])
      expect((await house.task(id)).taken).toBeNull()
      await house.ok(['apply', id])
      expect([point, scene.files()]).toEqual([point, after])

      await scene.kill(['apply', '--undo', id], point, nth)
      await house.ok(['apply', id])
      expect([point, scene.files()]).toEqual([point, after])
      expect((await house.task(id)).taken).not.toBeNull()
    }
    await house.ok(['apply', '--undo', id])
    expect(scene.files()).toEqual(before)
    expect(scene.index()).toBe(index)
  }, 600_000)
})
