// How right an answer is: exactly, or on the scale of 1 to 5 that topics are graded by; and whom a count of words points at.
import { TasksError } from '../errors.js';
import { SIBLING_JACCARD, type ChatWorld, type Topic } from './world.js';

/** Whether an answer is its label, word for word; what stands behind the label's words is not looked at. */
export function isExact(said: string, label: string): boolean {
  const words = said.trim().split(/\s+/);
  return label.split(' ').every((word, i) => words[i] === word);
}

/** |A ∩ B| / |A ∪ B|. */
export function jaccard(a: readonly string[], b: readonly string[]): number {
  const other = new Set(b);
  const both = a.filter((word) => other.has(word)).length;
  return both / (a.length + b.length - both);
}

/**
 * 5 for the topic's name; 4 for that of a topic with about the same words (Jaccard index of at least a half); 3 for one of its category; 2 for
 * one of its super-category; 1 for anything else.
 * @throws TasksError `tasks/unknown-topic` when `name` is no topic
 */
export function gradeTopic(said: string, name: string, world: ChatWorld): 1 | 2 | 3 | 4 | 5 {
  const topic = topicOf(name, world);
  const given = world.byName.get(said.trim().split(/\s+/)[0] ?? '');
  if (given === undefined) return 1;
  if (given.name === topic.name) return 5;
  if (jaccard(given.words, topic.words) >= SIBLING_JACCARD) return 4;
  if (given.category === topic.category) return 3;
  return given.superCategory === topic.superCategory ? 2 : 1;
}

function topicOf(name: string, world: ChatWorld): Topic {
  const topic = world.byName.get(name);
  if (topic === undefined)
    throw new TasksError('tasks/unknown-topic', `'${name}' is no topic of this world of ${world.topics.length}.`, {
      details: { name },
      hint: 'Topics are in world.topics.',
    });
  return topic;
}

/**
 * Scores every topic by the words that answers contain: Σ over its words of how often each was said times ln(topics / topics with that word).
 * The strongest guesser that sees answers only; in the order of `world.topics`.
 */
export function countScores(answers: readonly string[], world: ChatWorld): number[] {
  const said = new Map<string, number>();
  for (const answer of answers)
    for (const word of answer.split(/\s+/)) if (world.words.has(word)) said.set(word, (said.get(word) ?? 0) + 1);
  const having = new Map<string, number>();
  for (const { words } of world.topics) for (const word of words) having.set(word, (having.get(word) ?? 0) + 1);
  return world.topics.map(({ words }) =>
    words.reduce(
      (sum, word) => sum + (said.get(word) ?? 0) * Math.log(world.topics.length / (having.get(word) ?? 1)),
      0,
    ),
  );
}
