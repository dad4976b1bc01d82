-- Forward-auth for HAProxy 2.6 or newer, by its own HTTP client: asks whether a request may pass, and answers in its place when it may not.
--
--   lua-load /etc/haproxy/forward-auth.lua
--   http-request lua.coatcheck http://127.0.0.1:9465/check/redirect
--
-- The client takes an address, or a name that a resolver of HAProxy knows.

-- Taken from a yes; where the answer has none, the browser's own is taken away. The last two are identityHeaders of the route.
local copied = { "authorization", "dpop", "cookie", "x-user", "x-email" }

-- Of the connection and the body, which are not asked about.
local notAsked = {
  ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
  ["transfer-encoding"] = true, ["content-length"] = true, ["upgrade"] = true, ["expect"] = true,
}

-- Longer than the gateway takes to ask its provider for a fresh token; milliseconds.
local timeout = 30000

local function question(txn)
  local headers = {}
  local asksForWebSocket = false
  for name, values in pairs(txn.http:req_get_headers()) do
    if name == "upgrade" and string.lower(values[0] or "") == "websocket" then asksForWebSocket = true end
    if not notAsked[name] then
      headers[name] = {}
      for at = 0, #values do table.insert(headers[name], values[at]) end
    end
  end
  -- A WebSocket over HTTP/2 has no key, and would not be known for one.
  if asksForWebSocket and headers["sec-websocket-key"] == nil then
    headers["sec-websocket-key"] = { "AAAAAAAAAAAAAAAAAAAAAA==" }
    headers["sec-websocket-version"] = { "13" }
  end
  headers["x-forwarded-method"] = { txn.sf:method() }
  headers["x-forwarded-uri"] = { txn.sf:pathq() }
  headers["x-forwarded-host"] = { txn.sf:req_hdr("host") }
  headers["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
  headers["x-forwarded-for"] = { txn.f:src() }
  return headers
end

local function pass(txn, answer)
  for _, name in ipairs(copied) do
    txn.http:req_del_header(name)
    local values = answer.headers[name]
    if values then txn.http:req_add_header(name, values[0]) end
  end
end

local function refuse(txn, answer)
  local reply = txn:reply { status = answer.status, body = answer.body or "" }
  for name, values in pairs(answer.headers) do
    if not notAsked[name] then
      for at = 0, #values do
        if values[at] then reply:add_header(name, values[at]) end
      end
    end
  end
  txn:done(reply)
end

core.register_action("coatcheck", { "http-req" }, function(txn, url)
  local answer = core.httpclient():get { url = url, headers = question(txn), timeout = timeout }
  local status = answer and answer.status or 0
  if status == 200 then
    pass(txn, answer)
  elseif status == 0 then
    -- Nobody said yes.
    txn:done(txn:reply { status = 503, headers = { ["retry-after"] = { "2" }, ["cache-control"] = { "no-store" } } })
  else
    refuse(txn, answer)
  end
end, 1)
