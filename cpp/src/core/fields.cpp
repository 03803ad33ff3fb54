#include "core/fields.h"

namespace kit::fields {

const Json& member(const Json& object, const char* key, const std::string& what) {
  if (!object.is_object()) throw Fault(what + " is no object");
  const auto found = object.find(key);
  if (found == object.end()) throw Fault(what + " has no '" + key + "'");
  return *found;
}

std::string text(const Json& object, const char* key, const std::string& what) {
  const Json& value = member(object, key, what);
  if (!value.is_string() || value.get_ref<const std::string&>().empty())
    throw Fault("'" + std::string(key) + "' of " + what + " is no text");
  return value.get<std::string>();
}

std::int64_t count(const Json& value, const std::string& what) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    throw Fault(what + " is no count");
  return value.get<std::int64_t>();
}

const Json& array(const Json& object, const char* key, const std::string& what) {
  const Json& value = member(object, key, what);
  if (!value.is_array()) throw Fault("'" + std::string(key) + "' of " + what + " is no list");
  return value;
}

const Json& object(const Json& value, const std::string& what) {
  if (!value.is_object()) throw Fault(what + " is no object");
  return value;
}

}  // namespace kit::fields
