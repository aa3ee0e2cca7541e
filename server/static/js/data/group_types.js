// What groups of sessions are: as the server answers, and as the table holds them.

/** @import { Status } from './session.js' */

/**
 * A group of sessions that have a value in common.
 *
 * @typedef {object} SessionGroup
 * @property {string | number | boolean | object | null} value
 * @property {'number' | 'text' | 'boolean' | 'json' | 'day' | 'missing'} kind
 * @property {string} label
 * @property {string} q the query for its sessions
 * @property {number} sessions
 * @property {Record<Status, number>} counts
 * @property {number} updated_at the latest change of one of them
 * @property {Record<string, Measures>} stats by the names of statistics that were asked for
 * @property {Record<string, unknown>} same what all of them have, of the fields that were asked for
 */

/** @typedef {{n: number} & Record<'mean' | 'sd' | 'min' | 'max' | 'best', number | null>} Measures */

/**
 * @typedef {object} GroupPage
 * @property {SessionGroup[]} groups
 * @property {number} total
 * @property {number | null} next the offset of the next page
 */

/**
 * A group in the table.
 *
 * @typedef {object} Node
 * @property {string} q the query of all groups around it, and its own
 * @property {string} label
 * @property {string} field
 * @property {SessionGroup} group
 * @property {number} place among its siblings, from 0
 * @property {number} siblings how many there are, itself included
 * @property {Branch | null} branch what is in it; null before it has been folded open
 */

/**
 * The groups of a level within a group, or the sessions of the last one.
 *
 * @typedef {object} Branch
 * @property {string} q
 * @property {number} depth how many groups are around it
 * @property {Node[]} nodes
 * @property {string[]} ids
 * @property {number} total how many there are, as far as it is known
 * @property {string | number | null} next what the next page is asked for with
 * @property {boolean} isLoaded
 * @property {boolean} isStale whether it is to be loaded again
 * @property {number} changes how often that has been said
 * @property {string} error why the server does not give its items, or ''
 * @property {boolean} keepsOrder whether its items stay in their order when it is loaded again
 * @property {number} asked the number of its latest request
 * @property {number} wanted how many of its items are to be loaded
 */

export {};
