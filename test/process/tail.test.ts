import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeOutputReaders } from '../../src/process/output.ts'
import { readLines, readTail } from '../../src/process/tail.ts'

let root = ''
let path = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-tail-'))
  path = join(root, 'stdout')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const MB = 1024 * 1024

/** By this thread, from anything, so far. */
const bytesRead = () =>
  Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/thread-self/io', 'utf8'))?.[1])

describe('lines', () => {
  test.each<[string, string, string[], number]>([
    ['none of an empty file', '', [], 0],
    ['none that is not whole', 'hal', [], 0],
    ['all that are whole', 'a\nb\nhal', ['a', 'b'], 4],
    ['empty ones', '\n\na\n', ['', '', 'a'], 4],
    [
      'with everything in them that is no line feed',
      'a\rb\r\n\u2028\u0085\0\n',
      ['a\rb\r', '\u2028\u0085\0'],
      12,
    ],
    ['from UTF-8', 'ä€😀\n', ['ä€😀'], 10],
  ])('%s', (_, content, lines, offset) => {
    writeFileSync(path, content)
    expect(readLines(path, 0, MB)).toMatchObject({ lines, offset, atEnd: true })
  })

  test('with bytes replaced that are no UTF-8', () => {
    writeFileSync(path, Buffer.from('a\xff\x80b\n', 'latin1'))
    expect(readLines(path, 0, MB).lines).toEqual(['a\ufffd\ufffdb'])
  })

  test('from an offset on', () => {
    writeFileSync(path, 'one\ntwo\n')
    expect(readLines(path, 4, MB)).toMatchObject({ lines: ['two'], offset: 8 })
    expect(readLines(path, 8, MB)).toMatchObject({ lines: [], offset: 8, atEnd: true })
  })

  test('of a missing file, and of one that has become shorter: none', () => {
    expect(readLines(path, 0, MB)).toMatchObject({ lines: [], offset: 0, atEnd: true })
    writeFileSync(path, 'a\n')
    expect(readLines(path, 99, MB, { ended: true })).toMatchObject({ lines: [], offset: 99 })
  })

  test('the last one without an end, only once it is asked for', () => {
    writeFileSync(path, 'one\ntw')
    expect(readLines(path, 4, MB)).toMatchObject({ lines: [], offset: 4 })
    expect(readLines(path, 4, MB, { ended: true })).toMatchObject({ lines: ['tw'], offset: 6 })
    expect(readLines(path, 6, MB, { ended: true })).toMatchObject({ lines: [], offset: 6 })
  })

  test('in steps of any size, none lost and no character split', () => {
    const lines = Array.from({ length: 200 }, (_, i) => `${i} äöü€😀`.repeat(i % 7))
    writeFileSync(path, `${lines.join('\n')}\nrest`)
    for (const step of [1, 2, 3, 7, 64, 1000]) {
      const taken: string[] = []
      let offset = 0
      for (;;) {
        const read = readLines(path, offset, step)
        taken.push(...read.lines)
        offset = read.offset
        if (read.lines.length === 0) break
      }
      expect(taken).toEqual(lines)
    }
  })

  test('while they are written in pieces that split characters', () => {
    const bytes = Buffer.from('ä€\n😀ü\n')
    const { readLines: read } = makeOutputReaders()
    const taken: string[] = []
    let offset = 0
    for (const byte of bytes) {
      appendFileSync(path, Buffer.from([byte]))
      const step = read(root, offset, false)
      taken.push(...step.lines)
      offset = step.offset
    }
    expect(taken).toEqual(['ä€', '😀ü'])
  })

  test('that are longer than a step', () => {
    const long = 'x'.repeat(20 * MB)
    writeFileSync(path, `a\n${long}\nb\n`)
    const { readLines: read } = makeOutputReaders()
    expect(read(root, 0, false).lines).toEqual(['a'])
    const second = read(root, 2, false)
    expect(second.lines[0]?.length).toBe(20 * MB)
    expect(second.lines[0] === long).toBe(true)
    expect(second.offset).toBeLessThanOrEqual(20 * MB + 5)
  })

  test('that grow over many looks are not read anew at each', () => {
    const { readLines: read } = makeOutputReaders()
    const piece = 'x'.repeat(MB / 10)
    const before = bytesRead()
    // Read anew, this would be 200 looks at 10 MB on average.
    for (let i = 0; i < 200; i++) {
      appendFileSync(path, piece)
      expect(read(root, 0, false)).toEqual({ lines: [], offset: 0, atEnd: true })
    }
    appendFileSync(path, '\nnext\n')
    const taken = read(root, 0, false)
    expect(taken.lines.map(line => line.length)).toEqual([200 * piece.length])
    expect(read(root, taken.offset, false).lines).toEqual(['next'])
    expect(bytesRead() - before).toBeLessThan(100 * MB)
  })

  test('beyond all measure are cut, with a note', () => {
    writeFileSync(path, Buffer.alloc(65 * MB, 'x'))
    appendFileSync(path, '\nb\n')
    const { lines } = readLines(path, 0, MB)
    expect(lines[0]?.slice(-60)).toBe(
      `${'x'.repeat(60)} [cut by holdfast: the line has ${65 * MB} bytes]`.slice(-60),
    )
    expect(readLines(path, 65 * MB + 1, MB).lines).toEqual(['b'])
  })
})

describe('the last bytes of a file', () => {
  test.each([
    ['all of it, if it is short', 'abc', 10, 'abc'],
    ['no more than asked for', 'abcdef', 3, 'def'],
    ['from a whole character on', 'a€bc', 4, 'bc'],
    ['from a whole character on, which begins there', 'a€bc', 5, '€bc'],
  ])('%s', (_, content, bytes, tail) => {
    writeFileSync(path, content)
    expect(readTail(path, bytes)).toBe(tail)
  })

  test('none of a missing one', () => {
    expect(readTail(path, 10)).toBe('')
  })
})
