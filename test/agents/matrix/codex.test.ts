import { testRow } from './row.ts'

testRow('codex')
