import { defineConfig } from 'tsup';
import { library } from '../../tsup.shared.js';

export default defineConfig([
  library,
  { ...library, entry: ['src/node.ts'], platform: 'node', clean: false, external: ['./index.js'] },
]);
