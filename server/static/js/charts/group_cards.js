// Which cards have which groups of sessions.
import { graphsOf } from '../data/group_members.js';
import { state } from '../data/store.js';
import { GroupPart } from './group_part.js';

/**
 * What the grid of cards needs to know of groups.
 *
 * @typedef {object} GroupSource
 * @property {Set<string>} titles of the graphs that the chosen groups have
 * @property {boolean} isPending whether the graphs of a group are not known yet
 * @property {(title: string, before: GroupPart | null) => GroupPart | null} partOf the groups of the card with this title
 */

/** @type {GroupSource} */
export const groupCards = {
  get titles() {
    return new Set(state.groups.flatMap(({ q }) => (graphsOf(q) ?? []).map(({ title }) => title)));
  },

  get isPending() {
    return state.groups.some(({ q }) => graphsOf(q) === null);
  },

  partOf(title, before) {
    const groups = state.groups.flatMap((group) => {
      const graph = graphsOf(group.q)?.find((one) => one.title === title);
      return graph ? [{ group, graph }] : [];
    });
    if (!groups.length) return null;
    return Object.assign(before ?? new GroupPart(title), { groups });
  },
};
