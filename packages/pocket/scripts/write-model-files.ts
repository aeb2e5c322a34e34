// Writes the generated files of the model folders: npx tsx -C limn-source scripts/write-model-files.ts
import { writeFile } from 'node:fs/promises';
import { CHAT_RECIPE, chatModelFiles, chatModelFolder } from '../src/chat.js';
import { RECIPE, modelFiles, modelFolder } from '../src/index.js';

for (const [folder, files] of [
  [modelFolder(), modelFiles(RECIPE.model)],
  [chatModelFolder(), chatModelFiles(CHAT_RECIPE.model)],
] as const)
  for (const [name, text] of Object.entries(files)) await writeFile(new URL(name, folder), text);
