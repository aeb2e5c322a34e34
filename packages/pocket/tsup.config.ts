import { defineConfig } from 'tsup';
import { library } from '../../tsup.shared.js';

export default defineConfig({ ...library, entry: ['src/index.ts', 'src/chat.ts'], platform: 'node' });
