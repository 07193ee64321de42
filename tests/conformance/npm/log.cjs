// The older SDK for Node.js, with its own signer: v1 with hmac-sha1. Operations that have no method
// use the one that signs and sends for all others.
"use strict";

const Client = require("@alicloud/log");
const { print } = require("./loopback.cjs");

const [endpoint] = process.argv.slice(2);
const { KEY_ID, KEY_SECRET, TOKEN, CURSOR } = process.env;
const client = new Client({
  endpoint: `http://${endpoint}`,
  accessKeyId: KEY_ID,
  accessKeySecret: KEY_SECRET,
  securityToken: TOKEN || undefined,
});
const page = { offset: 1, size: 2 };
const get = (project, path, query = {}) => client._request("GET", project, path, query, null, {});
const log = { timestamp: Math.floor(Date.now() / 1000), content: { message: "日志" } };

print({
  GetCheckPoint: () => get("shop", "/logstores/orders/consumergroups/billing"),
  ListConsumerGroup: () => get("shop", "/logstores/orders/consumergroups"),
  ListShards: () => get("shop", "/logstores/orders/shards"),
  GetCursor: () => get("shop", "/logstores/orders/shards/0", { type: "cursor", from: "begin" }),
  GetCursorTime: () =>
    get("shop", "/logstores/orders/shards/0", { type: "cursor_time", cursor: CURSOR }),
  GetLogStore: () => client.getLogStore("shop", "orders"),
  ListLogStores: () => client.listLogStore("shop", page),
  ListProject: () => get(undefined, "/", page),
  PutLogs: () => client.postLogStoreLogs("shop", "orders", { logs: [log] }),
});
