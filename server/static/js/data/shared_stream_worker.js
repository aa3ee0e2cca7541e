// The SharedWorker that holds the stream of all tabs.
import { Feed } from './shared_stream.js';

const feed = new Feed();
self.addEventListener('connect', (event) => feed.add(event.ports[0]));
