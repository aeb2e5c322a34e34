// A checkpoint as another machine would have left it: whole, its digest right, and not of here.
import { checkpointContent, openCheckpoint, type CheckpointContent } from '@limn/hooks';

export async function ofAnotherMachine(bytes: Uint8Array, format: string): Promise<CheckpointContent> {
  const opened = await openCheckpoint({ bytes: bytes.length, read: async (from, to) => bytes.slice(from, to) }, format);
  const about = JSON.stringify({ ...(JSON.parse(opened.about) as object), machine: 'another' });
  const tensors = Array.from(opened.tensors, ([name, { size }]) => ({
    name,
    type: 'F32' as const,
    size,
    values: () => opened.floats(name),
  }));
  return checkpointContent(format, tensors, about);
}
