// The names by which the transcoders, the weight diffs and the adapter that come with the small models are opened: those of the models.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transcodersFolder } from '@limn/pocket';
import { ditAdapterFolder, ditDiffsFolder } from '@limn/pocket/chat';
import { POCKET, POCKET_CHAT } from './model-source.js';

/** Unless there is a folder of the name itself. */
const bundled = (name: string, known: string, folder: () => URL): string =>
  name === known && !existsSync(name) ? fileURLToPath(folder()) : name;

/** Where a set of transcoders lies. */
export const setFolder = (name: string): string => bundled(name, POCKET, transcodersFolder);

/** Where a pack of weight diffs lies. */
export const packFolder = (name: string): string => bundled(name, POCKET_CHAT, ditDiffsFolder);

/** Where a DIT adapter lies. */
export const adapterFolder = (name: string): string => bundled(name, POCKET_CHAT, ditAdapterFolder);
