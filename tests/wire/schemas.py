"""The two envelopes' schemas, after their published structure: what is written must be valid."""

from typing import Final

from lxml import etree

_VANS: Final = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:oio:medcom:vans-envelope:1.0.4"
    targetNamespace="urn:oio:medcom:vans-envelope:1.0.4" elementFormDefault="qualified">
  <xs:simpleType name="UUIDType"><xs:restriction base="xs:string">
    <xs:pattern value="[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}"/>
  </xs:restriction></xs:simpleType>
  <xs:simpleType name="Text255"><xs:restriction base="xs:string">
    <xs:minLength value="1"/><xs:maxLength value="255"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Text70"><xs:restriction base="xs:string">
    <xs:minLength value="1"/><xs:maxLength value="70"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="EndPointId"><xs:restriction base="xs:token">
    <xs:minLength value="1"/><xs:maxLength value="18"/></xs:restriction></xs:simpleType>
  <xs:complexType name="EndPoint"><xs:simpleContent><xs:extension base="EndPointId">
    <xs:attribute name="EndPointType" use="required"><xs:simpleType><xs:restriction base="xs:string">
      <xs:enumeration value="EAN"/><xs:enumeration value="CVR"/><xs:enumeration value="VANS"/>
    </xs:restriction></xs:simpleType></xs:attribute>
  </xs:extension></xs:simpleContent></xs:complexType>
  <xs:complexType name="Meta"><xs:sequence>
    <xs:element name="Identifier" type="UUIDType"/>
    <xs:element name="Processing" minOccurs="0"><xs:complexType><xs:sequence>
      <xs:element name="ProviderIdentifier" type="Text255"/>
      <xs:element name="ServiceIdentifier" type="Text255"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="Document"><xs:complexType><xs:sequence>
      <xs:element name="Format"><xs:simpleType><xs:restriction base="xs:string">
        <xs:enumeration value="XML"/><xs:enumeration value="EDIFACT"/><xs:enumeration value="HL7"/>
        <xs:enumeration value="Binary"/><xs:enumeration value="Other"/>
      </xs:restriction></xs:simpleType></xs:element>
      <xs:element name="Name" type="Text255"/>
      <xs:element name="Version" type="Text255" minOccurs="0"/>
      <xs:element name="SizeInBytes" type="xs:int"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="Transport" minOccurs="0"><xs:complexType><xs:sequence>
      <xs:element name="Type" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string">
        <xs:enumeration value="reliable"/><xs:enumeration value="unreliable"/>
      </xs:restriction></xs:simpleType></xs:element>
      <xs:element name="TransformMessage" type="xs:boolean"/>
      <xs:element name="ServiceTag" minOccurs="0" maxOccurs="5"><xs:complexType><xs:simpleContent>
        <xs:extension base="Text70"><xs:attribute name="name" type="Text70" use="required"/></xs:extension>
      </xs:simpleContent></xs:complexType></xs:element>
    </xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType>
  <xs:complexType name="Error"><xs:sequence>
    <xs:element name="Code" type="xs:positiveInteger" minOccurs="0"/>
    <xs:element name="Description"><xs:simpleType><xs:restriction base="xs:string">
      <xs:minLength value="1"/><xs:maxLength value="512"/></xs:restriction></xs:simpleType></xs:element>
  </xs:sequence></xs:complexType>
  <xs:element name="VANSEnvelope"><xs:complexType><xs:sequence>
    <xs:element name="SenderID" type="EndPoint"/>
    <xs:element name="ReceiverID" type="EndPoint"/>
    <xs:element name="EnvelopeIdentifier" type="UUIDType"/>
    <xs:element name="SentDateTime" type="xs:dateTime"/>
    <xs:choice>
      <xs:element name="Message"><xs:complexType><xs:sequence>
        <xs:element name="MetaInformation" type="Meta"/><xs:element name="Data" type="xs:base64Binary"/>
      </xs:sequence></xs:complexType></xs:element>
      <xs:element name="Receipt"><xs:complexType><xs:choice>
        <xs:element name="NegativeVans"><xs:complexType><xs:sequence>
          <xs:element name="Error" type="Error"/>
          <xs:element name="OriginalEnvelopeIdentifier" type="UUIDType"/>
          <xs:element name="OriginalMessage" type="Meta" minOccurs="0"/>
        </xs:sequence></xs:complexType></xs:element>
        <xs:element name="NegativeMessage"><xs:complexType><xs:sequence>
          <xs:element name="Error" type="Error"/>
          <xs:element name="OriginalEnvelopeIdentifier" type="UUIDType"/>
          <xs:element name="OriginalMessage" type="Meta"/>
        </xs:sequence></xs:complexType></xs:element>
        <xs:element name="PositiveMessage"><xs:complexType><xs:sequence>
          <xs:element name="OriginalEnvelopeIdentifier" type="UUIDType"/>
          <xs:element name="OriginalMessage" type="Meta"/>
        </xs:sequence></xs:complexType></xs:element>
      </xs:choice></xs:complexType></xs:element>
    </xs:choice>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""

# The leaves of a Haendelsesbesked have a namespace of their own; each schema is compiled from memory, so the
# leaves' groups stand as wildcards in the main schema and are checked by the second one.
_LEAVES: Final = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:oio:sagdok:3.0.0"
    targetNamespace="urn:oio:sagdok:3.0.0" elementFormDefault="qualified">
  <xs:element name="UUIDIdentifikator"><xs:simpleType><xs:restriction base="xs:string">
    <xs:pattern value="[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"/>
  </xs:restriction></xs:simpleType></xs:element>
  <xs:element name="URNIdentifikator"><xs:simpleType><xs:restriction base="xs:string">
    <xs:minLength value="1"/></xs:restriction></xs:simpleType></xs:element>
  <xs:element name="TidsstempelDatoTid" type="xs:dateTime"/>
</xs:schema>
"""


def _leaf(name: str, *, least: int = 0, most: str = "1", kind: str = "Leaf") -> str:
    return f'<xs:element name="{name}" type="{kind}" minOccurs="{least}" maxOccurs="{most}"/>'


_KUVERT: Final = f"""
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:oio:besked:kuvert:1.0"
    targetNamespace="urn:oio:besked:kuvert:1.0" elementFormDefault="qualified">
  <xs:complexType name="Leaf"><xs:sequence>
    <xs:any namespace="urn:oio:sagdok:3.0.0" processContents="skip"/>
  </xs:sequence></xs:complexType>
  <xs:element name="Haendelsesbesked"><xs:complexType><xs:sequence>
    {_leaf("BeskedId", least=1)}
    {_leaf("BeskedVersion", least=1, kind="xs:string")}
    <xs:element name="Beskedkuvert"><xs:complexType><xs:sequence>
      <xs:element name="Filtreringsdata"><xs:complexType><xs:sequence>
        {_leaf("Beskedtype", least=1)}
        {_leaf("BeskedAnsvarligAktoer")}
        {_leaf("TilladtModtager", most="unbounded")}
        <xs:element name="RelateretObjekt" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
          {_leaf("ObjektId", least=1)}{_leaf("ObjektType", least=1)}{_leaf("ObjektRolle")}
        </xs:sequence></xs:complexType></xs:element>
        <xs:element name="ObjektRegistrering" minOccurs="0" maxOccurs="unbounded">
        <xs:complexType><xs:sequence>
          {_leaf("ObjektRegistreringId")}{_leaf("RegistreringsAktoer")}{_leaf("Registreringstidspunkt")}
          {_leaf("ObjektAnsvarligMyndighed")}{_leaf("ObjektId")}{_leaf("ObjektType")}{_leaf("ObjektHandling")}
          {_leaf("OpgaveEmne")}
        </xs:sequence></xs:complexType></xs:element>
        {_leaf("TvaergaaendeProces", most="unbounded")}
      </xs:sequence></xs:complexType></xs:element>
      <xs:element name="Leveranceinformation"><xs:complexType><xs:sequence>
        {_leaf("Dannelsestidspunkt")}{_leaf("TransaktionsId")}{_leaf("Kildesystem")}
        {_leaf("KildesystemIPAdresse", kind="xs:string")}{_leaf("KildesystemAkkreditiver", kind="xs:string")}
        {_leaf("Sikkerhedsklassificering")}
      </xs:sequence></xs:complexType></xs:element>
      {_leaf("GyldighedFra")}{_leaf("GyldighedTil")}
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="Beskeddata" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
      <xs:any namespace="##any" processContents="skip" minOccurs="0" maxOccurs="unbounded"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""

_SAGDOK: Final = "{urn:oio:sagdok:3.0.0}*"

VANS_SCHEMA = etree.XMLSchema(etree.fromstring(_VANS))
KUVERT_SCHEMA = etree.XMLSchema(etree.fromstring(_KUVERT))
LEAF_SCHEMA = etree.XMLSchema(etree.fromstring(_LEAVES))


def assert_vans(data: bytes) -> None:
    """The envelope is valid by MedCom's schema."""
    VANS_SCHEMA.assertValid(etree.fromstring(data))


def assert_kuvert(data: bytes) -> None:
    """The Haendelsesbesked is valid by KOMBIT's schema, and each leaf by its own."""
    root = etree.fromstring(data)
    KUVERT_SCHEMA.assertValid(root)
    for leaf in root.iter(_SAGDOK):
        LEAF_SCHEMA.assertValid(etree.fromstring(etree.tostring(leaf, with_tail=False)))
