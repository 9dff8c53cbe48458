import { testRow } from './row.ts'

testRow('opencode-acp')
