// The name by which the set of transcoders that comes with pocket is opened.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transcodersFolder } from '@limn/pocket';
import { POCKET } from './model-source.js';

/** Where a set lies: of `pocket`, unless there is a folder of that name, the one that comes with the model; of any other name the name itself. */
export const setFolder = (name: string): string =>
  name === POCKET && !existsSync(name) ? fileURLToPath(transcodersFolder()) : name;
